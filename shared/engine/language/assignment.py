"""Assignments: where a policy is in force, and with which effect.

Sources: "Azure Policy assignment structure", "Azure Policy compliance states".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.arm_id import resource_group_of
from shared.domain.resource import Json, Resource, plain_location
from shared.domain.verdict import State
from shared.engine.context import policy_type
from shared.engine.error import InvalidDefinition, unknown_word
from shared.engine.language.form import Form, split_properties

STATE_RANKING = (State.NON_COMPLIANT, State.COMPLIANT, State.ERROR, State.EXEMPT, State.UNKNOWN, State.NOT_APPLICABLE)
ASSIGNMENT_OVERRIDES = 1_000
_UNREAD_SELECTOR_KINDS = ("userPrincipalId", "groupPrincipalId", "resourceRolloutPercentage")
"""Who makes a request, and which part of a gradual rollout a resource is in, is known to Azure alone."""
_SELECTOR_KINDS = (
    "resourceLocation",
    "resourceType",
    "resourceWithoutLocation",
    "policyDefinitionReferenceId",
    *_UNREAD_SELECTOR_KINDS,
)
_SELECTOR_SPELLING = {each.lower(): each for each in _SELECTOR_KINDS}
_OVERRIDE_KINDS = ("policyEffect", "definitionVersion", "policyVersion")
"""Azure's documentation says policyVersion where its API has definitionVersion: both are read."""
_SELECTORS_FORM: Form = ({"kind": "string", "in": ("string",), "notIn": ("string",)},)
_RESOURCE_FORM: Mapping[str, Form] = {
    "id": "string",
    "name": "string",
    "type": "string",
    "location": "string",
    "identity": "object",
    "properties": "object",
    "systemData": "object",
}
_PROPERTIES_FORM: Mapping[str, Form] = {
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
    "resourceSelectors": ({"name": "string", "selectors": _SELECTORS_FORM},),
    "overrides": ({"kind": "string", "value": "string", "selectors": _SELECTORS_FORM},),
}


@dataclass(frozen=True, slots=True)
class Selector:
    """One property that must be in, or not in, a list (all lower case; locations without spaces)."""

    kind: str
    members: frozenset[str]
    negated: bool

    @property
    def is_unread(self) -> bool:
        """Return whether what it asks for is not read here, so that it never has an answer."""
        return _SELECTOR_SPELLING[self.kind] in _UNREAD_SELECTOR_KINDS

    def selects(self, resource: Resource, reference: str = "") -> bool | None:
        """Return whether the resource, or the policy reference, is selected; None where that is not read."""
        if self.is_unread:
            return None
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
    """Another effect, or another version of the definition, for what every selector selects; the other one is ""."""

    effect: str
    selectors: tuple[Selector, ...]
    version: str = ""

    def selects(self, resource: Resource, reference: str) -> bool | None:
        """Return whether every selector selects a resource and a policy reference; None where that is not known."""
        return _every(each.selects(resource, reference) for each in self.selectors)

    def may_select(self, reference: str) -> bool:
        """Return whether it can be about a policy reference, whatever the resource."""
        named = (each for each in self.selectors if each.kind == "policydefinitionreferenceid")
        return all((reference.lower() in each.members) is not each.negated for each in named)


@dataclass(frozen=True, slots=True)
class NonComplianceMessage:
    """The message for resources that do not comply; `reference` "" for every policy of the assignment."""

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
    messages: tuple[NonComplianceMessage, ...] = ()

    @classmethod
    def from_json(cls, source: Mapping[str, Json]) -> "Assignment":
        """Read an assignment, as the resource with `properties` or bare.

        Raises:
            InvalidDefinition: an unknown kind of selector or override.
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
                _override(each, f"$.overrides[{at}]") for at, each in enumerate(inner.get("overrides") or ())
            ),
            name=str(source.get("name") or ""),
            definition=str(inner.get("policyDefinitionId") or ""),
            parameters=inner.get("parameters") or {},
            mode=str(inner.get("enforcementMode") or "Default"),
            messages=tuple(
                NonComplianceMessage(str(each.get("message") or ""), str(each.get("policyDefinitionReferenceId") or ""))
                for each in inner.get("nonComplianceMessages") or ()
            ),
        )

    @property
    def covers_all(self) -> bool:
        """Return whether it covers every resource there is."""
        return not self.excluded and not self.selectors and not _is_in_subscription(self.scope.lower())

    @property
    def enforced(self) -> bool:
        """Return whether its effects are carried out; otherwise it only reports compliance."""
        return self.mode.lower() == "default"

    def message(self, reference: str = "") -> str:
        """Return the message for resources that do not comply: that of the policy reference, else of the assignment."""
        by_reference = {each.reference.lower(): each.text for each in reversed(self.messages)}
        return by_reference.get(reference.lower()) or by_reference.get("", "")

    def covers(self, resource: Resource) -> bool | None:
        """Return whether the resource is in scope, not excluded, and selected by one of the resource selectors.

        None where a selector asks for what is not read.
        """
        if not is_within(resource.id, self.scope) or any(is_within(resource.id, each) for each in self.excluded):
            return False
        return _selected(resource, self.selectors)

    def effect(self, resource: Resource, reference: str = "") -> str | None:
        """Return the effect that an override puts in place of the policy's own, if one is known to; the first wins."""
        for each in self.overrides:
            answer = each.selects(resource, reference) if each.effect else False
            if answer is not False:
                return each.effect if answer else None
        return None

    def may_be_undecided(self, reference: str) -> bool:
        """Return whether there can be a resource for which `undecided` has a reason."""
        overrides = [each for each in self.overrides if each.may_select(reference)]
        chosen = (*self.selectors, *(each.selectors for each in overrides))
        return any(each.version for each in overrides) or any(one.is_unread for every in chosen for one in every)

    def undecided(self, resource: Resource, reference: str = "") -> str:
        """Return why it is not known what a policy comes to on a resource which is not left out; "" where it is."""
        if self.covers(resource) is None:
            return f"whether the assignment selects the resource depends on {_unread(self.selectors)}, not read here"
        settled = False
        for each in self.overrides:
            # Of several overrides of the effect the first one wins: what comes after it changes nothing.
            answer = each.selects(resource, reference) if each.version or not settled else False
            if answer is None:
                return f"whether an override holds depends on {_unread([each.selectors])}, not read here"
            if answer and each.version:
                return f"an override asks for version {each.version} of the definition, and other versions are not read"
            settled = settled or answer
        return ""


def parse_assignment(source: Mapping[str, Json]) -> Assignment:
    """Read an assignment that somebody wrote: `Assignment.from_json`, strictly.

    Raises:
        InvalidDefinition: what is not an assignment's form, with the path below `properties` and a suggestion.
    """
    outer, inner = split_properties(source, _RESOURCE_FORM, _PROPERTIES_FORM)
    above, mark, _ = (
        str(outer.get("id") or "").lower().partition("/providers/microsoft.authorization/policyassignments/")
    )
    if mark and not inner.get("scope"):
        inner["scope"] = above
    if not inner.get("policyDefinitionId"):
        raise InvalidDefinition("the assignment has no policyDefinitionId", path="$")
    overrides = len(inner.get("overrides") or ())
    if overrides > ASSIGNMENT_OVERRIDES:
        message = f"there are {overrides:,} overrides, {ASSIGNMENT_OVERRIDES:,} are taken here"
        raise InvalidDefinition(message, path="$.overrides")
    for name, value in (inner.get("parameters") or {}).items():
        if not isinstance(value, Mapping) or {str(key).lower() for key in value} != {"value"}:
            message = 'a parameter value is written as {"value": …}'
            raise InvalidDefinition(message, path=f"$.parameters.{name}", offending=str(value))
    return Assignment.from_json({**outer, "properties": inner})


def is_within(resource_id: str, scope: str) -> bool:
    """Return whether an id is a scope or below it; a management group or the tenant holds all that is listed in it."""
    low, outer = resource_id.lower().rstrip("/"), scope.lower().rstrip("/")
    if not _is_in_subscription(outer):
        return True
    return low == outer or low.startswith(outer + "/")


def _is_in_subscription(scope: str) -> bool:
    return scope.startswith("/subscriptions/")


def is_selected(resource: Resource, selectors: Iterable[Mapping[str, Json]]) -> bool:
    """Return whether one of some resource selectors (Azure Policy's JSON) is known to select a resource.

    True without any.
    """
    every = [_selectors(each.get("selectors"), f"$.resourceSelectors[{at}]") for at, each in enumerate(selectors)]
    return _selected(resource, every) is True


def _selected(resource: Resource, selectors: Sequence[tuple[Selector, ...]]) -> bool | None:
    answers = {_every(one.selects(resource) for one in every) for every in selectors}
    return True if not answers or True in answers else None if None in answers else False


def _every(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return False if False in found else None if None in found else True


def _unread(selectors: Iterable[tuple[Selector, ...]]) -> str:
    return " and ".join(sorted({_SELECTOR_SPELLING[one.kind] for every in selectors for one in every if one.is_unread}))


def _selectors(source: Json, path: str) -> tuple[Selector, ...]:
    return tuple(_selector(each, f"{path}.selectors[{at}]") for at, each in enumerate(source or ()))


def _selector(source: Mapping[str, Json], path: str) -> Selector:
    kind = str(source.get("kind")).lower()
    if kind not in _SELECTOR_SPELLING:
        raise unknown_word("selector kind", str(source.get("kind")), _SELECTOR_KINDS, path=path)
    negated = "notIn" in source
    listed = source.get("notIn" if negated else "in") or ()
    plain = plain_location if kind == "resourcelocation" else str.lower
    return Selector(kind, frozenset(plain(str(each)) for each in listed), negated)


def _override(source: Mapping[str, Json], path: str) -> Override:
    kind, value = str(source.get("kind") or _OVERRIDE_KINDS[0]), str(source.get("value"))
    if kind.lower() not in {each.lower() for each in _OVERRIDE_KINDS}:
        raise unknown_word("override kind", kind, _OVERRIDE_KINDS, path=f"{path}.kind")
    selectors = _selectors(source.get("selectors"), path)
    is_effect = kind.lower() == "policyeffect"
    return Override(value, selectors) if is_effect else Override("", selectors, version=value)


def roll_up(states: Iterable[State]) -> State:
    """Return the state of a group: the one that ranks first."""
    found = set(states)
    return next((each for each in STATE_RANKING if each in found), State.NOT_APPLICABLE)
