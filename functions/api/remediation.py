"""Remediations: ask for fixes, see the plan, decide on it, follow it, undo it."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import Body, Query, Request, Response
from pydantic import Field

from functions.api import answer, stream
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.idempotency import Starting
from functions.api.route import router as make_router
from shared.domain.difference import Difference
from shared.domain.error import NotFound
from shared.domain.model import Model
from shared.domain.plan import PlanItem, Refusal
from shared.domain.remediation import ACTIVE, Remediation, RemediationRequest, Status
from shared.ports import documents
from shared.services import remediation

router = make_router("Remediations")
KIND = remediation.KIND.name

EXAMPLES = {
    "findings": {"value": {"findings": ["3f6c0a9d2b7e4f10a1c2d3e4.storage-secure-transfer"], "note": "audit 2026-4"}},
    "a filter": {"value": {"filter": {"policy": "storage-secure-transfer", "environment": "test"}}},
}
APPROVALS = {
    "this very plan": {"value": {"planHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
}
REJECTIONS = {"not yet": {"value": {"reason": "The devices in the field speak plain HTTP until autumn."}}}


class RemediationListing(Listing):
    """Chooses remediations."""

    status: tuple[Status, ...] = ()


class Approving(Model):
    """An approval names the plan it is for, so that no other can be carried out."""

    plan_hash: str = Field(pattern="^[0-9a-f]{64}$", description="`planHash` of the remediation")


class Rejecting(Model):
    """Why a plan is turned down."""

    reason: str = Field(min_length=1, max_length=1000)


class ShownItem(PlanItem):
    """An item of a plan, with all that it changes at once."""

    differences: tuple[Difference, ...] = ()


class ShownPlan(Model):
    """A plan as it is stored, which is what `hash` is the digest of, and beside it what people look for first."""

    remediation: str
    status: Status
    hash: str
    items: tuple[ShownItem, ...]
    refusals: tuple[Refusal, ...] = Field(description="the findings that are not fixed, and why")


@router.post("/remediations", status_code=202, response_model=Remediation)
async def remediation_create(
    work: Starting, asked: Annotated[RemediationRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Ask for findings to be fixed. Nothing is changed: a plan is made, and waits for somebody else to approve it."""
    caller = work.caller
    return await work.start(
        lambda new: remediation.request(new, asked, store=caller.store, queue=caller.ports.queue),
        "/api/v1/remediations/{id}",
    )


@router.get("/remediations", response_model=Page[Remediation])
def remediation_list(request: Request, caller: Known, asked: Annotated[RemediationListing, Query()]) -> Response:
    """The remediations, latest first."""
    query = documents.Query(equals=answer.conditions(asked), order="requestedAt", descending=True)
    return answer.listing(request, caller, KIND, query, asked, show=answer.without("items"))


@router.get("/remediations/{id}", response_model=Remediation)
def remediation_get(request: Request, caller: Known, id: str) -> Response:
    """One remediation, with how each of its items stands."""
    return answer.document(request, answer.find(caller, KIND, id))


@router.get("/remediations/{id}/plan", response_model=ShownPlan)
def remediation_plan(request: Request, caller: Known, id: str) -> Response:
    """The plan: each write with its body, what it changes, and the state it starts from. 404 until it is made."""
    known = answer.find(caller, KIND, id).body
    if known["planBlob"] is None:
        raise NotFound(f"remediation {id} is {known['status']} and has no plan")
    stored = orjson.loads(caller.ports.blobs.get(tenant=caller.tenant, name=known["planBlob"]))
    return answer.ok(request, _shown(stored, known))


@router.post("/remediations/{id}/approve", status_code=202, response_model=Remediation)
async def remediation_approve(
    work: Starting, id: str, asked: Annotated[Approving, Body(openapi_examples=APPROVALS)]
) -> Response:
    """Let exactly this plan be carried out. Who asked for it cannot approve it; 409 when the plan is another one."""
    caller = work.caller
    return await work.start(
        lambda _: remediation.approve(id, asked.plan_hash, store=caller.store, queue=caller.ports.queue), _address(id)
    )


@router.post("/remediations/{id}/reject", status_code=202, response_model=Remediation)
async def remediation_reject(
    work: Starting, id: str, asked: Annotated[Rejecting, Body(openapi_examples=REJECTIONS)]
) -> Response:
    """Turn the plan down."""
    caller = work.caller
    return await work.start(
        lambda _: remediation.reject(id, asked.reason, store=caller.store, queue=caller.ports.queue), _address(id)
    )


@router.post("/remediations/{id}/cancel", status_code=202, response_model=Remediation)
async def remediation_cancel(work: Starting, id: str) -> Response:
    """Stop before the next item; what is done stays done. 409 when it has ended."""
    caller = work.caller
    return await work.start(
        lambda _: remediation.cancel(id, store=caller.store, queue=caller.ports.queue), _address(id)
    )


@router.post("/remediations/{id}/rollback", status_code=202, response_model=Remediation)
async def remediation_rollback(work: Starting, id: str) -> Response:
    """Put back what was changed, where nobody has changed it since."""
    caller = work.caller
    return await work.start(
        lambda _: remediation.rollback(id, store=caller.store, queue=caller.ports.queue), _address(id)
    )


@router.get("/remediations/{id}/events", response_class=Response, responses=stream.RESPONSES)
async def remediation_events(request: Request, caller: Known, id: str) -> Response:
    """What happens to a remediation, as server-sent events, until it has ended; resume with Last-Event-ID."""
    return await stream.follow(request, stream.Subject(caller, KIND, id, ACTIVE))


def _address(remediation_id: str) -> str:
    return f"/api/v1/remediations/{remediation_id}"


def _shown(plan: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    items = [
        {**item, "differences": [each for operation in item["operations"] for each in operation["differences"]]}
        for item in plan["items"]
    ]
    return {
        **plan,
        "status": known["status"],
        "hash": known["planHash"],
        "items": items,
        "refusals": [each for item in items for each in item["refusals"]],
    }
