"""Findings: list and filter them, read one with its evidence, have it explained."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.evaluation import Explained
from functions.api.route import router as make_router
from shared.domain.finding import Finding, Life
from shared.domain.policy import Severity
from shared.domain.verdict import State
from shared.ports import documents
from shared.services import evaluation, finding


class ExplainedFinding(Explained):
    """Why a finding is what it is."""

    finding: str
    life: Life
    exemption: str | None = None


router = make_router("Findings")
KIND = finding.KIND


class FindingListing(Listing):
    """Chooses findings; all conditions hold, and one given several times means any of its values."""

    open: bool | None = Field(default=None, description="whether it needs attention now")
    severity: tuple[Severity, ...] = ()
    state: tuple[State, ...] = ()
    life: tuple[Life, ...] = ()
    policy: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    subscription: str | None = None
    owner: str | None = None
    resource: str | None = Field(default=None, description="the key of a resource")
    order: Literal["changedAt", "openedAt", "id"] = Field(
        default="changedAt", description="latest first; `id` for a listing that misses nothing while things change"
    )


@router.get("/findings", response_model=Page[Finding])
def finding_list(request: Request, caller: Known, asked: Annotated[FindingListing, Query()]) -> Response:
    """The findings, without their evidence."""
    by_id = asked.order == "id"
    order = "" if by_id else asked.order
    query = documents.Query(equals=answer.conditions(asked, "order"), order=order, descending=not by_id)
    return answer.listing(request, caller, KIND, query, asked, show=answer.without("evidence", "needs"))


@router.get("/findings/{id}", response_model=Finding)
def finding_get(request: Request, caller: Known, id: str) -> Response:
    """One finding with its evidence: the clauses that decided, what they saw and what they expected."""
    return answer.document(request, answer.find(caller, KIND, id))


@router.get("/findings/{id}/explain", response_model=ExplainedFinding)
def finding_explain(request: Request, caller: Known, id: str) -> Response:
    """Why: one sentence, the whole rule with what each clause saw, and what would make the resource compliant."""
    answer.find(caller, KIND, id)
    return answer.ok(request, evaluation.explain(id, store=caller.store, book=caller.book))
