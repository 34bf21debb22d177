"""What is shown of remediations, their items and their plans."""

from shared.domain.error import NotFound
from shared.domain.item import ItemOutcome, RemediationItem, RemediationItemListing
from shared.domain.item_step import WITHDRAWN
from shared.domain.page import Page, PageRequest
from shared.domain.plan import PlanItem
from shared.domain.remediation import ACTIVE, Remediation, RemediationListing
from shared.eventstore.store import Store
from shared.ports.documents import Query, each_document
from shared.services import read_model
from shared.services.read_model import Stored
from shared.services.remediation import plan, record

NOT_BEGUN = "the remediation ended before its turn"
_SKIPPED_REASONS = {ItemOutcome.PENDING: NOT_BEGUN, ItemOutcome.APPLYING: WITHDRAWN}
"""Why an item of an ended remediation is skipped that is stored otherwise: its turn did not come, or a worker that had
begun it as the remediation ended died before it could withdraw it."""


def get(remediation_id: str, *, store: Store) -> Stored[Remediation]:
    """Find a remediation as it was projected last; NotFound."""
    return read_model.get(record.MODEL, remediation_id, store=store)


def list_(asked: RemediationListing, *, store: Store) -> Page[Remediation]:
    """List remediations, the latest first."""
    query = Query(equals=read_model.conditions(asked), order="requestedAt", descending=True)
    return read_model.page(record.MODEL, query, asked, store=store)


def items(remediation_id: str, asked: RemediationItemListing, *, store: Store) -> Page[RemediationItem]:
    """List the items of a remediation in their order; NotFound.

    Items whose turn did not come before the remediation ended are shown as skipped.
    """
    known = get(remediation_id, store=store).model
    outcomes = set(asked.outcome)
    # Stored items stay as they were for good; the filter has to ask the store for what it has.
    if known.is_past_applying and outcomes:
        outcomes |= set(_SKIPPED_REASONS) if ItemOutcome.SKIPPED in outcomes else set()
        outcomes -= set() if ItemOutcome.SKIPPED in outcomes else {ItemOutcome.PENDING}
    chosen = {"outcome": tuple(sorted(map(str, outcomes)))} if asked.outcome else {}
    query = Query(equals={"remediation": remediation_id, **chosen})
    found = read_model.page_of_part(record.ITEM_MODEL, query, asked, store=store)
    items = (shown(each, known) for each in found.items)
    chosen_items = tuple(each for each in items if not asked.outcome or each.outcome in asked.outcome)
    return found.model_copy(update={"items": chosen_items})


def plan_of(
    remediation_id: str, asked: PageRequest, *, store: Store
) -> tuple[Remediation, Page[RemediationItem], list[PlanItem]]:
    """Find a page of a remediation's plan: the items, and for each what is planned; NotFound until the plan is made."""
    known = get(remediation_id, store=store).model
    if known.plan_hash is None:
        raise NotFound(f"remediation {remediation_id} is {known.status} and has no plan")
    query = Query(equals={"remediation": remediation_id})
    found = read_model.page_of_part(record.ITEM_MODEL, query, asked, store=store)
    return known, found, [plan.load_item(each, store=store) for each in found.items]


def active(*, store: Store) -> list[Remediation]:
    """List the remediations that a workflow should be at."""
    query = Query(equals={"status": tuple(status.value for status in ACTIVE)})
    found = each_document(record.STREAM.name, query, documents=store.documents, tenant=store.tenant)
    return [record.MODEL.read(each.body) for each in found]


def shown(item: RemediationItem, known: Remediation) -> RemediationItem:
    """Return an item as it stands, given how far its remediation is."""
    if item.outcome not in _SKIPPED_REASONS or item.applied or not known.is_past_applying:
        return item
    reason = _SKIPPED_REASONS[item.outcome]
    return item.model_copy(update={"outcome": ItemOutcome.SKIPPED, "reason": reason, "waiting_until": None})
