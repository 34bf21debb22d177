"""Remediations: request fixes, see the plan, decide on it, follow its progress, roll it back."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import Body, Query, Request, Response
from pydantic import Field

from functions.api.http import response, stream
from functions.api.http.access import Authorized
from functions.api.http.idempotency import Idempotent
from functions.api.http.route import make_router
from shared.domain import validation_message
from shared.domain.approval import DecisionReason
from shared.domain.difference import Difference
from shared.domain.item import ItemOutcome, RemediationItem, RemediationItemListing
from shared.domain.model import Model
from shared.domain.page import Page, PageRequest
from shared.domain.plan import PlanItem
from shared.domain.remediation import (
    ACTIVE,
    FindingSelection,
    Remediation,
    RemediationListing,
    RemediationPreview,
    RemediationRequest,
    RemediationStatus,
)
from shared.services.remediation import approval, query, record, rollback, selection
from shared.services.remediation import request as requests

router = make_router("Remediations")

EXAMPLES = {
    "findings": {"value": {"findings": ["3f6c0a9d2b7e4f10a1c2d3e4.storage-secure-transfer"], "note": "audit 2026-4"}},
    "a filter": {"value": {"filter": {"policy": "storage-secure-transfer", "environment": "test"}}},
}
SELECTION_EXAMPLES = {"a filter": {"value": {"filter": {"policy": "storage-secure-transfer", "environment": "test"}}}}
APPROVAL_EXAMPLES = {
    "this very plan": {"value": {"planHash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}}
}
REJECTION_EXAMPLES = {"not yet": {"value": {"reason": "The devices in the field speak plain HTTP until autumn."}}}


ROLLBACK_EXAMPLES = {"it stays": {"value": {"reason": "The clients were moved to HTTPS meanwhile."}}}


class ApprovalRequest(Model):
    """An approval, with the hash of its plan, so that no other plan can be applied."""

    plan_hash: str = Field(pattern=validation_message.DIGEST_PATTERN, description="`planHash` of the remediation")


class RejectionRequest(Model):
    """The reason for rejecting a plan, or a rollback."""

    reason: DecisionReason = Field(max_length=1000, description="why, in a sentence, for whoever asked for it")


class PlanItemView(PlanItem):
    """An item of a plan with its hash, its outcome, and everything that it changes."""

    number: int
    hash: str
    outcome: ItemOutcome
    differences: tuple[Difference, ...] = ()


class PlanView(Page[PlanItemView]):
    """A page of a plan. `hash` is the digest of {"remediation", "items"}, where `items` are the hashes of all items.

    The hash of an item is the digest of its members but for `number`, `hash`, `outcome` and `differences`. A digest is
    the SHA-256 of the canonical JSON (RFC 8785; an integer that no double is written as is `{"$integer": "…"}`).
    """

    remediation: str
    status: RemediationStatus
    hash: str
    item_count: int
    refused_count: int = Field(description="findings that are not fixed; the items say which and why")


@router.post("/remediations/preview", response_model=RemediationPreview)
def remediation_preview(
    request: Request, caller: Authorized, asked: Annotated[FindingSelection, Body(openapi_examples=SELECTION_EXAMPLES)]
) -> Response:
    """Count the findings that a request would be about now. Nothing is recorded."""
    return response.ok(request, selection.preview(asked, store=caller.store))


@router.post("/remediations", status_code=202, response_model=Remediation)
async def remediation_create(
    idempotent: Idempotent, asked: Annotated[RemediationRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Request the fix of findings. Nothing is changed before somebody else has approved the plan that is made."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda new: requests.request(new, asked, store=caller.store, queue=caller.ports.queue),
        "/api/v1/remediations/{id}",
    )


@router.get("/remediations", response_model=Page[Remediation])
def remediation_list(request: Request, caller: Authorized, asked: Annotated[RemediationListing, Query()]) -> Response:
    """Return the remediations, latest first."""
    return response.page(request, query.list_(asked, store=caller.store))


@router.get("/remediations/{id}", response_model=Remediation)
def remediation_get(request: Request, caller: Authorized, id: str) -> Response:
    """Return one remediation, with the number of its items by outcome."""
    return response.stored(request, query.get(id, store=caller.store))


@router.get("/remediations/{id}/items", response_model=Page[RemediationItem])
def remediation_items(
    request: Request, caller: Authorized, id: str, asked: Annotated[RemediationItemListing, Query()]
) -> Response:
    """Return the items of a remediation, one for each resource, in the order of the plan, with outcome and reason."""
    return response.page(request, query.items(id, asked, store=caller.store))


@router.get("/remediations/{id}/plan", response_model=PlanView)
def remediation_plan(request: Request, caller: Authorized, id: str, asked: Annotated[PageRequest, Query()]) -> Response:
    """Return a page of the plan: each write with its body, its changes, and the state it starts from.

    404 until the plan is made.
    """
    return response.page(request, _plan_view(*query.plan_of(id, asked, store=caller.store)))


@router.post("/remediations/{id}/approve", status_code=202, response_model=Remediation)
async def remediation_approve(
    idempotent: Idempotent, id: str, asked: Annotated[ApprovalRequest, Body(openapi_examples=APPROVAL_EXAMPLES)]
) -> Response:
    """Approve exactly this plan; whoever requested it cannot. 409 when the plan is another one."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: approval.approve(id, asked.plan_hash, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/remediations/{id}/reject", status_code=202, response_model=Remediation)
async def remediation_reject(
    idempotent: Idempotent, id: str, asked: Annotated[RejectionRequest, Body(openapi_examples=REJECTION_EXAMPLES)]
) -> Response:
    """Reject the plan."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: approval.reject(id, asked.reason, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/remediations/{id}/cancel", status_code=202, response_model=Remediation)
async def remediation_cancel(idempotent: Idempotent, id: str) -> Response:
    """Cancel before the next item; finished items stay as they are. 409 when it has ended or is rolling back."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: rollback.cancel(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/remediations/{id}/rollback", status_code=202, response_model=Remediation)
async def remediation_rollback(idempotent: Idempotent, id: str) -> Response:
    """Ask to roll back the changes, except where somebody has changed the resource since; somebody else approves it."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: rollback.request(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/remediations/{id}/rollback/approve", status_code=202, response_model=Remediation)
async def remediation_rollback_approve(idempotent: Idempotent, id: str) -> Response:
    """Approve the rollback that was asked for; whoever asked for it cannot. 409 when none awaits approval."""
    caller = idempotent.caller
    return await idempotent.start(
        lambda _: rollback.approve(id, store=caller.store, queue=caller.ports.queue), _location(id)
    )


@router.post("/remediations/{id}/rollback/reject", status_code=202, response_model=Remediation)
async def remediation_rollback_reject(
    idempotent: Idempotent, id: str, asked: Annotated[RejectionRequest, Body(openapi_examples=ROLLBACK_EXAMPLES)]
) -> Response:
    """Reject the rollback that was asked for. 409 when none awaits approval."""
    caller = idempotent.caller
    return await idempotent.start(lambda _: rollback.reject(id, asked.reason, store=caller.store), _location(id))


@router.get("/remediations/{id}/events", response_class=Response, responses=stream.STREAM_RESPONSES)
async def remediation_events(request: Request, caller: Authorized, id: str) -> Response:
    """Stream the events of a remediation as server-sent events until it has ended; resume with Last-Event-ID."""
    return await stream.stream_events(request, stream.EventFeed(caller, record.MODEL, record.STREAM, id, ACTIVE))


def _location(remediation_id: str) -> str:
    return f"/api/v1/remediations/{remediation_id}"


def _plan_view(known: Remediation, page: Page[RemediationItem], parts: Sequence[PlanItem]) -> PlanView:
    return PlanView(
        remediation=known.id,
        status=known.status,
        hash=known.plan_hash or "",
        item_count=known.item_count,
        refused_count=known.refused_count,
        items=tuple(_plan_item_view(*each) for each in zip(page.items, parts, strict=True)),
        next_cursor=page.next_cursor,
        total=page.total,
    )


def _plan_item_view(item: RemediationItem, part: PlanItem) -> PlanItemView:
    changed = tuple(each for operation in part.operations for each in operation.differences)
    shown = {"number": item.number, "hash": item.hash, "outcome": item.outcome, "differences": changed}
    return PlanItemView.model_validate({**dict(part), **shown})
