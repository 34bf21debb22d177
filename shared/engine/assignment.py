"""Assignments and exemptions: where a policy is in force, with which effect, and for whom it is waived.

Sources: "Azure Policy assignment structure", "Azure Policy exemption structure", "Azure Policy compliance states".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.domain.resource import Json, Resource, plain_location, resource_group_of
from shared.domain.verdict import State
from shared.engine.context import policy_type
from shared.engine.error import InvalidDefinition, nearest
from shared.engine.form import Form, opened

RANKING = (State.NON_COMPLIANT, State.COMPLIANT, State.ERROR, State.EXEMPT, State.UNKNOWN, State.NOT_APPLICABLE)
MOST_OVERRIDES = 1_000
_KIND_NAMES = ("resourceLocation", "resourceType", "resourceWithoutLocation", "policyDefinitionReferenceId")
_KINDS = frozenset(each.lower() for each in _KIND_NAMES)
_SELECTORS: Form = ({"kind": "string", "in": ("string",), "notIn": ("string",)},)
_OUTER: Mapping[str, Form] = {
    "id": "string",
    "name": "string",
    "type": "string",
    "location": "string",
    "identity": "object",
    "properties": "object",
    "systemData": "object",
}
_INNER: Mapping[str, Form] = {
    "displayName": "string",
    "description": "string",
    "metadata": "object",
    "scope": "string",
    "notScopes": ("string",),
    "policyDefinitionId": "string",
    "definitionVersion": "string",
    "parameters": "object",
    "enforcementMode": "string",
    "nonComplianceMessages": ({"message": "string", "policyDefinitionReferenceId": "string"},),
    "resourceSelectors": ({"name": "string", "selectors": _SELECTORS},),
    "overrides": ({"kind": "string", "value": "string", "selectors": _SELECTORS},),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """One property that must be in, or not in, a list (all lower case; locations without spaces)."""

    kind: str
    members: frozenset[str]
    negated: bool

    def selects(self, resource: Resource, reference: str = "") -> bool:
        """Whether the resource, or the policy reference, is selected."""
        if self.kind == "resourcewithoutlocation":
            placeless = not resource.body.get("location") and resource_group_of(resource.id) is None
            return placeless is not self.negated
        value = reference if self.kind == "policydefinitionreferenceid" else _property(resource, self.kind)
        return (value.lower() in self.members) is not self.negated


def _property(resource: Resource, kind: str) -> str:
    if kind == "resourcetype":
        return policy_type(resource.type)
    return plain_location(str(resource.body.get("location") or ""))


@dataclass(frozen=True, slots=True)
class Override:
    """Another effect for the references and resources that every selector selects."""

    effect: str
    selectors: tuple[Selector, ...]

    def may_select(self, reference: str) -> bool:
        """Whether it can be about a policy reference, whatever the resource."""
        named = (each for each in self.selectors if each.kind == "policydefinitionreferenceid")
        return all((reference.lower() in each.members) is not each.negated for each in named)


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told who do not comply; `reference` "" for every policy of the assignment."""

    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A policy or set of policies in force at a scope, as far as it decides what is judged and how.

    `definition` is the id of the policy or initiative, `mode` the enforcementMode: Default, DoNotEnforce or Enroll.
    """

    id: str
    scope: str
    excluded: tuple[str, ...] = ()
    selectors: tuple[tuple[Selector, ...], ...] = ()
    overrides: tuple[Override, ...] = ()
    name: str = ""
    definition: str = ""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    mode: str = "Default"
    messages: tuple[Message, ...] = ()

    @classmethod
    def from_json(cls, source: Mapping[str, Json]) -> "Assignment":
        """Read an assignment, as the resource with `properties` or bare.

        Raises:
            InvalidDefinition: an unknown selector kind, or a selector without a list.
        """
        inner = {**source, **(source.get("properties") or {})}
        return cls(
            id=str(source.get("id") or ""),
            scope=str(inner.get("scope") or ""),
            excluded=tuple(map(str, inner.get("notScopes") or ())),
            selectors=tuple(
                _selectors(each.get("selectors"), f"$.resourceSelectors[{at}]")
                for at, each in enumerate(inner.get("resourceSelectors") or ())
            ),
            overrides=tuple(
                Override(str(each.get("value")), _selectors(each.get("selectors"), f"$.overrides[{at}]"))
                for at, each in enumerate(inner.get("overrides") or ())
                if str(each.get("kind", "policyEffect")).lower() == "policyeffect"
            ),
            name=str(source.get("name") or ""),
            definition=str(inner.get("policyDefinitionId") or ""),
            parameters=inner.get("parameters") or {},
            mode=str(inner.get("enforcementMode") or "Default"),
            messages=tuple(
                Message(str(each.get("message") or ""), str(each.get("policyDefinitionReferenceId") or ""))
                for each in inner.get("nonComplianceMessages") or ()
            ),
        )

    @property
    def enforced(self) -> bool:
        """Whether its effects are carried out; otherwise it only tells of compliance."""
        return self.mode.lower() == "default"

    def message(self, reference: str = "") -> str:
        """What people are told who do not comply: of the policy reference, else of the whole assignment."""
        by_reference = {each.reference.lower(): each.text for each in reversed(self.messages)}
        return by_reference.get(reference.lower()) or by_reference.get("", "")

    def covers(self, resource: Resource) -> bool:
        """Whether the resource is in scope, not excluded, and selected by one of the resource selectors."""
        if not within(resource.id, self.scope) or any(within(resource.id, each) for each in self.excluded):
            return False
        return not self.selectors or any(all(one.selects(resource) for one in every) for every in self.selectors)

    def effect(self, resource: Resource, reference: str = "") -> str | None:
        """The effect that an override puts in place of the policy's own, if one does; the first one wins."""
        for each in self.overrides:
            if all(one.selects(resource, reference) for one in each.selectors):
                return each.effect
        return None


def parse_assignment(source: Mapping[str, Json]) -> Assignment:
    """Read an assignment that somebody wrote: `Assignment.from_json`, strictly.

    Raises:
        InvalidDefinition: what is not an assignment's form, with the path below `properties` and a suggestion.
    """
    outer, inner = opened(source, _OUTER, _INNER)
    above, mark, _ = (
        str(outer.get("id") or "").lower().partition("/providers/microsoft.authorization/policyassignments/")
    )
    if mark and not inner.get("scope"):
        inner["scope"] = above
    if not inner.get("policyDefinitionId"):
        raise InvalidDefinition("the assignment has no policyDefinitionId", path="$")
    overrides = len(inner.get("overrides") or ())
    if overrides > MOST_OVERRIDES:
        message = f"there are {overrides:,} overrides, {MOST_OVERRIDES:,} are taken here"
        raise InvalidDefinition(message, path="$.overrides")
    for name, value in (inner.get("parameters") or {}).items():
        if not isinstance(value, Mapping) or {str(key).lower() for key in value} != {"value"}:
            message = 'a parameter value is written as {"value": …}'
            raise InvalidDefinition(message, path=f"$.parameters.{name}", offending=str(value))
    return Assignment.from_json({**outer, "properties": inner})


def within(resource_id: str, scope: str) -> bool:
    """Whether an id is a scope or below it; a management group or tenant scope holds whatever is listed under it."""
    low, outer = resource_id.lower().rstrip("/"), scope.lower().rstrip("/")
    if not outer.startswith("/subscriptions/"):
        return True
    return low == outer or low.startswith(outer + "/")


def _selectors(source: Json, path: str) -> tuple[Selector, ...]:
    return tuple(_selector(each, f"{path}.selectors[{at}]") for at, each in enumerate(source or ()))


def _selector(source: Mapping[str, Json], path: str) -> Selector:
    kind = str(source.get("kind")).lower()
    if kind not in _KINDS:
        message = f"unknown selector kind {str(source.get('kind'))[:60]!r}"
        raise InvalidDefinition(message, path=path, suggestion=nearest(kind, _KIND_NAMES))
    negated = "notIn" in source
    listed = source.get("notIn" if negated else "in") or ()
    plain = plain_location if kind == "resourcelocation" else str.lower
    return Selector(kind, frozenset(plain(str(each)) for each in listed), negated)


@dataclass(frozen=True, slots=True)
class Exemption:
    """A waiver or mitigation for a scope, until it expires, for all or some references of an assignment."""

    assignment: str
    scope: str
    references: frozenset[str] = frozenset()
    expires: datetime | None = None
    selectors: tuple[tuple[Selector, ...], ...] = ()

    @classmethod
    def from_json(cls, source: Mapping[str, Json]) -> "Exemption":
        """Read an exemption, as the resource with `properties` or bare."""
        inner = {**source, **(source.get("properties") or {})}
        scope = (
            inner.get("scope")
            or str(source.get("id") or "").lower().partition("/providers/microsoft.authorization/")[0]
        )
        return cls(
            assignment=str(inner.get("policyAssignmentId") or "").lower(),
            scope=str(scope),
            references=frozenset(str(each).lower() for each in inner.get("policyDefinitionReferenceIds") or ()),
            expires=_moment(inner.get("expiresOn")),
            selectors=tuple(
                _selectors(each.get("selectors"), f"$.resourceSelectors[{at}]")
                for at, each in enumerate(inner.get("resourceSelectors") or ())
            ),
        )

    def holds(self, resource: Resource, assignment: str, reference: str, now: datetime) -> bool:
        """Whether the exemption waives one policy reference of an assignment for a resource at a time."""
        if self.assignment != assignment.lower() or not within(resource.id, self.scope):
            return False
        if self.references and reference.lower() not in self.references:
            return False
        if self.expires is not None and now >= self.expires:
            return False
        return not self.selectors or any(all(one.selects(resource) for one in every) for every in self.selectors)


def _moment(written: Json) -> datetime | None:
    if not written:
        return None
    found = datetime.fromisoformat(str(written))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def roll_up(states: Iterable[State]) -> State:
    """The state of a group: the one that ranks first."""
    found = set(states)
    return next((each for each in RANKING if each in found), State.NOT_APPLICABLE)


def percentage(counts: Mapping[State, int]) -> float | None:
    """Compliant, exempt and unknown resources in percent of all that were judged; None when there are none."""
    judged = {state: number for state, number in counts.items() if state is not State.NOT_APPLICABLE}
    total = sum(judged.values())
    good = sum(judged.get(state, 0) for state in (State.COMPLIANT, State.EXEMPT, State.UNKNOWN))
    return 100 * good / total if total else None
