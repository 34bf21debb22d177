"""Findings: list and filter them, read one with its evidence, explain it."""

from typing import Annotated

from fastapi import Query, Request, Response

from functions.api.evaluation import EvaluationResult
from functions.api.http import response
from functions.api.http.access import Authorized
from functions.api.http.route import make_router
from shared.domain.finding import Finding, FindingListing, FindingStatus
from shared.domain.page import Page
from shared.services import evaluation, finding


class FindingExplanation(EvaluationResult):
    """The explanation of a finding."""

    finding: str
    status: FindingStatus
    exemption: str | None = None


router = make_router("Findings")


@router.get("/findings", response_model=Page[Finding])
def finding_list(request: Request, caller: Authorized, asked: Annotated[FindingListing, Query()]) -> Response:
    """Return the findings, without their evidence."""
    found = finding.list_(asked, store=caller.store, policies=lambda: caller.policies)
    return response.page(request, found, without=finding.MODEL.left_out)


@router.get("/findings/{id}", response_model=Finding)
def finding_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one finding with its evidence: the clauses that decided, with observed and expected values."""
    return response.stored(request, finding.get(id, store=caller.store))


@router.get("/findings/{id}/explain", response_model=FindingExplanation)
def finding_explain(request: Request, caller: Authorized, id: str) -> Response:
    """Explain a finding: a sentence, the whole rule with observed values, and the changes that would comply."""
    return response.ok(request, evaluation.explain(id, store=caller.store, policies=caller.policies))
