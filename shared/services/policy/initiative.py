"""Summarize initiatives: each member with its definition and values, each parameter with its members."""

from collections.abc import Iterator

from shared.authoring.library import DocumentShape, Library, PolicyDocument, effect_of, properties_of, version_of
from shared.authoring.lint.subject import effect_spelled, member
from shared.authoring.resolution import ParameterValues
from shared.domain.error import NotFound
from shared.domain.initiative import InitiativeSummary, MemberSummary, ParameterSummary
from shared.domain.page import Page, PageRequest, page_of
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import Initiative, InitiativeMember, name_from_id, parameters_used
from shared.engine.language.assignment import parse_assignment
from shared.engine.language.parameter import bind_values
from shared.engine.language.tree import Definition
from shared.services.near_name import near_hint
from shared.services.policy.effective_policy import EffectivePolicies


def get(name: str, *, policies: EffectivePolicies) -> InitiativeSummary:
    """Find an initiative of the catalog, with its members; NotFound."""
    entry = policies.library.find(name, DocumentShape.INITIATIVE)
    if entry is None:
        known = (each.name for each in policies.library.entries if each.shape is DocumentShape.INITIATIVE)
        raise NotFound(f"the catalog has no initiative {name[:80]}{near_hint(name, known)}", path="name")
    return summarize(entry, policies.library)


def list_(asked: PageRequest, *, policies: EffectivePolicies) -> Page[InitiativeSummary]:
    """List initiatives by name, without their members; the cursor is the last name of the page before."""
    held = policies.library
    return page_of(
        (each for each in held.entries if each.shape is DocumentShape.INITIATIVE),
        asked,
        key=lambda each: each.name,
        show=lambda each: summarize(each, held).model_copy(update={"members": ()}),
    )


def summarize(entry: PolicyDocument, library: Library) -> InitiativeSummary:
    """Summarize an initiative, or the one that is assigned, with the values of the assignment.

    Raises:
        InvalidDefinition: it is not an initiative, or a value of the assignment does not fit.
    """
    assigned = parse_assignment(entry.source) if entry.shape is DocumentShape.ASSIGNMENT else None
    found = library.find(assigned.definition, DocumentShape.INITIATIVE) if assigned else entry
    tree = library.read(found) if found else None
    if found is None or not isinstance(tree, Initiative):
        wanted = name_from_id(assigned.definition) if assigned else entry.name
        raise InvalidDefinition(f"there is no initiative {wanted[:80]!r}", path="$.policyDefinitionId")
    values = bind_values(tree.parameters, assigned.parameters if assigned else None)
    sources = member(properties_of(found), "policyDefinitions") or []
    return InitiativeSummary(
        name=found.name,
        display_name=str(member(properties_of(found), "displayName") or ""),
        assignment=(assigned.name or entry.name) if assigned else None,
        parameters=_parameters(tree, values),
        members=tuple(
            _member(each, source, values, library) for each, source in zip(tree.members, sources, strict=True)
        ),
    )


def _parameters(tree: Initiative, values: ParameterValues) -> tuple[ParameterSummary, ...]:
    passed = {each.label: {str(name).lower() for name in _used(each)} for each in tree.members}
    return tuple(
        ParameterSummary(
            name=each.name,
            type=each.type,
            required=each.required,
            value=values.get(low),
            allowed=each.allowed,
            members=tuple(label for label, names in passed.items() if low in names),
        )
        for low, each in tree.parameters.items()
    )


def _used(each: InitiativeMember) -> Iterator[str | None]:
    """Yield the parameters of the initiative that a member uses; None for a name that is computed."""
    return (name for operand in each.parameters.values() for name in parameters_used(operand))


def _member(each: InitiativeMember, source: Json, values: ParameterValues, library: Library) -> MemberSummary:
    """Summarize a member, which `source` shows as it is written."""
    entry = library.find(each.definition, DocumentShape.DEFINITION)
    written = member(source, "parameters") or {}
    summary = MemberSummary(
        reference=each.label,
        definition=each.definition,
        display_name=str(member(properties_of(entry), "displayName") or "") if entry else "",
        version=each.version,
        effective_version=version_of(entry) if entry else "",
        groups=each.groups,
        parameters={name: member(value, "value") for name, value in written.items()},
        problem=None if entry else "there is no such definition",
    )
    if entry is None or any((name or "").lower() not in values for name in _used(each)):
        return summary  # the effect depends on an assignment's values
    try:
        definition = library.read(entry)
        given = each.arguments(values)
        assert isinstance(definition, Definition)  # as requested by its shape
        bind_values(definition.parameters, {name: {"value": value} for name, value in given.items()})
        return summary.model_copy(update={"effect": effect_spelled(effect_of(definition, given))})
    except InvalidDefinition as error:
        return summary.model_copy(update={"problem": error.message})
