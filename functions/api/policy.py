"""Policies: what the catalog judges by, and which controls that serves."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field

from functions.api import answer
from functions.api.access import Known
from functions.api.answer import Listing, Page
from functions.api.route import router as make_router
from shared.domain.error import NotFound
from shared.domain.model import Model
from shared.domain.policy import Controls, PolicyEntry, Remediation, Severity
from shared.ports.catalog import Catalog

router = make_router("Policies")

Card = Mapping[str, Any]


class PolicyListing(Listing):
    """Chooses policies; all conditions hold."""

    category: str | None = None
    severity: tuple[Severity, ...] = ()
    framework: str | None = Field(default=None, description="the id of a framework that the policy serves")

    def has(self, card: Card) -> bool:
        """Whether the policy is one of those."""
        return (
            self.category in (None, card["category"])
            and (not self.severity or card["severity"] in self.severity)
            and (self.framework is None or self.framework in card["controls"])
        )


class ListedPolicy(Model):
    """A policy as lists have it: without its definition."""

    name: str
    display_name: str
    description: str
    category: str
    severity: Severity
    rationale: str
    version: str
    controls: Controls
    remediation: Remediation | None


@router.get("/policies", response_model=Page[ListedPolicy])
async def policy_list(request: Request, caller: Known, asked: Annotated[PolicyListing, Query()]) -> Response:
    """The policies by name, without their definitions."""
    rest = [card for card in _cards(caller.ports.catalog) if card["name"] > (asked.cursor or "") and asked.has(card)]
    shown = rest[: asked.limit]
    items = [{name: value for name, value in card.items() if name != "definition"} for card in shown]
    return answer.page(request, items, shown[-1]["name"] if len(rest) > len(shown) else None)


@router.get("/policies/{name}", response_model=PolicyEntry)
async def policy_get(request: Request, caller: Known, name: str) -> Response:
    """One policy with its definition, its controls and its remediation."""
    card = next((card for card in _cards(caller.ports.catalog) if card["name"] == name), None)
    if card is None:
        raise NotFound(f"the catalog has no policy {name[:80]}", path="name")
    return answer.ok(request, card)


@lru_cache(maxsize=4)
def _cards(catalog: Catalog) -> Sequence[Card]:
    return [entry.model_dump(mode="json") for entry in sorted(catalog.policies(), key=lambda entry: entry.name)]
