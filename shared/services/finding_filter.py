"""The filters of findings: as conditions of a query, and whether their values exist at all."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import Any

from shared.domain.error import InvalidInput
from shared.domain.finding import FindingListing
from shared.domain.policy import Controls
from shared.eventstore.store import Store
from shared.ports.documents import Query
from shared.services import read_model
from shared.services.estate import estate, resource
from shared.services.near_name import near_hint
from shared.services.policy.effective_policy import EffectivePolicies

NOT_CONDITIONS = ("order", "strict", "text", "since", "framework", "control", "assignment")
"""Members of a listing that are not compared with a stored member of the same name."""
RESOURCE_FIELDS = {
    "subscription": "subscription",
    "resourceGroup": "resourceGroup",
    "resourceType": "type",
    "owner": "owner",
    "environment": "environment",
}
"""Filter -> the member of stored resources that has its values."""
EXACT_FILTERS = ("category", "owner", "environment")
"""Filters whose values are compared with their case."""
SECOND_CHARACTERS = len("2027-03-31T00:00:00")


def query(asked: FindingListing, policies: Callable[[], EffectivePolicies]) -> Query:
    """Return the query that a listing asks for; the policies in force are only needed for what they alone know."""
    equals = read_model.conditions(asked, *NOT_CONDITIONS)
    if asked.assignment:
        equals["assignment"] = tuple(_assignment_ids(asked.assignment, policies()))
    if asked.framework or asked.control:
        serving = _serving(asked, policies())
        equals["policy"] = tuple(serving & set(asked.policy)) if asked.policy else tuple(serving)
    # Times are stored with and without fractions of a second: up to the second, their order is that of their texts.
    since = asked.since and asked.since.astimezone(UTC).isoformat()[:SECOND_CHARACTERS]
    return Query(
        equals=equals,
        includes={"text": asked.text} if asked.text else {},
        at_least={"openedAt": since} if since else {},
    )


def check(asked: FindingListing, *, store: Store, policies: EffectivePolicies) -> None:
    """Refuse a filter that nothing can meet: InvalidInput for the first value that nothing has, with the nearest one.

    Also where nothing was evaluated yet, or no resource meets the conditions together.
    """
    if not any(each.judged_at for each in estate.every(store)):
        raise InvalidInput("nothing was evaluated yet; start a scan with `cortex scan start`", path="query")
    given = read_model.conditions(asked)
    for name, known in _policy_values(asked, policies).items():
        _check_known(name, given.get(name, ()), known)
    chosen = {RESOURCE_FIELDS[name]: value for name, value in given.items() if name in RESOURCE_FIELDS}
    for name, field in RESOURCE_FIELDS.items():
        for value in given.get(name, ()):
            if not _resources({field: value}, store):
                found = read_model.count(resource.LISTED_MODEL, Query(), by=field, store=store)
                _check_known(name, (value,), found)
    if not _resources(chosen, store):
        raise InvalidInput("no resource meets these conditions, so there is nothing to list", path="query")


def _policy_values(asked: FindingListing, policies: EffectivePolicies) -> Mapping[str, Iterable[str]]:
    """Return the values that there are, of the filters that are about policies."""
    held, entries = policies.compiled.policies, policies.entries.values()
    controls = [each.controls for each in entries]
    return {
        "policy": policies.entries,
        "assignment": (name for each in held if each.assignment for name in (each.assignment_id, each.assignment.name)),
        "reference": (each.reference for each in held),
        "initiative": (each.initiative for each in held),
        "category": (each.category for each in entries),
        "framework": (name for each in controls for name in each),
        "control": (control for each in controls for control in _controls_of(each, asked.framework)),
    }


def _check_known(name: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    found = list(known)
    spelling = set(found if name in EXACT_FILTERS else (each.lower() for each in found))
    for value in wanted:
        if (value if name in EXACT_FILTERS else value.lower()) not in spelling:
            hint = near_hint(value, found)
            raise InvalidInput(f"nothing has the {name} '{value[:200]}'{hint}", path=f"query.{name}")


def _resources(conditions: Mapping[str, Any], store: Store) -> int:
    """Count the resources that exist and meet conditions, of those that the caller may see."""
    return read_model.count(resource.LISTED_MODEL, Query(equals={**conditions, "gone": False}), store=store)[""]


def _assignment_ids(wanted: Iterable[str], policies: EffectivePolicies) -> set[str]:
    """Return the ids of assignments that are named by their ids or names; what names none stays as it is."""
    found = {named: {each.assignment_id.lower() for each in policies.of_assignment(named)} for named in wanted}
    return {each for named, ids in found.items() for each in ids or {named}}


def _serving(asked: FindingListing, policies: EffectivePolicies) -> set[str]:
    """Return the names of the policies that serve one of the frameworks, and one of the controls."""
    return {
        name
        for name, entry in policies.entries.items()
        for controls in (_controls_of(entry.controls, asked.framework),)
        if (controls & set(asked.control) if asked.control else controls)
    }


def _controls_of(controls: Controls, frameworks: Iterable[str]) -> set[str]:
    """Return the ids of controls in lower case: those of some frameworks, or of all where none is named."""
    wanted = set(frameworks)
    return {each.lower() for name, ids in controls.items() if not wanted or name.lower() in wanted for each in ids}
