"""Tell what an initiative holds: each member with where it leads and what it gets, each parameter with its members."""

from collections.abc import Iterator, Mapping

from shared.domain.initiative import InitiativeSummary, MemberSummary, ParameterSummary
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.assignment import parse_assignment
from shared.engine.initiative import Initiative, Member, name_of, uses
from shared.engine.parameter import bind
from shared.engine.tree import Definition
from shared.services.library import Entry, Library, Shape, effect_of, properties_of, version_of
from shared.services.lint.subject import effect_spelled, member

Values = Mapping[str, Json]


def tell(entry: Entry, library: Library) -> InitiativeSummary:
    """What an initiative holds, or the one that is assigned, with the values of the assignment.

    Raises:
        InvalidDefinition: it is none, or a value of the assignment does not fit.
    """
    assigned = parse_assignment(entry.source) if entry.shape is Shape.ASSIGNMENT else None
    found = library.find(assigned.definition, Shape.INITIATIVE) if assigned else entry
    tree = library.read(found) if found else None
    if found is None or not isinstance(tree, Initiative):
        wanted = name_of(assigned.definition) if assigned else entry.name
        raise InvalidDefinition(f"there is no initiative {wanted[:80]!r} at hand", path="$.policyDefinitionId")
    values = bind(tree.parameters, assigned.parameters if assigned else None)
    sources = member(properties_of(found), "policyDefinitions") or []
    return InitiativeSummary(
        name=found.name,
        display_name=str(member(properties_of(found), "displayName") or ""),
        assignment=(assigned.name or entry.name) if assigned else None,
        parameters=_parameters(tree, values),
        members=tuple(
            _member(each, _written(source), values, library) for each, source in zip(tree.members, sources, strict=True)
        ),
    )


def _parameters(tree: Initiative, values: Values) -> tuple[ParameterSummary, ...]:
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


def _used(each: Member) -> Iterator[str | None]:
    """The parameters of the initiative that a member gets; None for a name that is computed."""
    return (name for operand in each.parameters.values() for name in uses(operand))


def _written(source: Json) -> dict[str, Json]:
    """The parameter values of a member as they are written."""
    given = member(source, "parameters") or {}
    return {name: member(each, "value") for name, each in given.items()}


def _member(each: Member, written: dict[str, Json], values: Values, library: Library) -> MemberSummary:
    entry = library.find(each.definition, Shape.DEFINITION)
    told = MemberSummary(
        reference=each.label,
        definition=each.definition,
        display_name=str(member(properties_of(entry), "displayName") or "") if entry else "",
        version=each.version,
        held=version_of(entry) if entry else "",
        groups=each.groups,
        parameters=written,
        problem=None if entry else "there is no such definition at hand",
    )
    if entry is None or any((name or "").lower() not in values for name in _used(each)):
        return told  # only an assignment can tell more
    try:
        definition = library.read(entry)
        given = each.arguments(values)
        assert isinstance(definition, Definition)  # it was asked for
        bind(definition.parameters, {name: {"value": value} for name, value in given.items()})
        return told.model_copy(update={"effect": effect_spelled(effect_of(definition, given))})
    except InvalidDefinition as error:
        return told.model_copy(update={"problem": error.message})
