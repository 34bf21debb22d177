"""Initiatives: sets of policy definitions, with the parameter values that each of them gets.

Source: "Azure Policy initiative definition structure".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json, Resource
from shared.engine.alias import AliasCatalog
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.scope import CompileScope
from shared.engine.context import EMPTY_CONTEXT, Frame
from shared.engine.error import EvaluationError, InvalidDefinition
from shared.engine.language.expression import Literal
from shared.engine.language.form import Form, split_properties
from shared.engine.language.operand import RESOURCE_FUNCTIONS, parse_operand
from shared.engine.language.parameter import bind_values, missing_parameters, parse_parameters
from shared.engine.language.traversal import function_calls
from shared.engine.language.tree import Operand, ParameterDefinition

INITIATIVE_MEMBERS = 1_000
INITIATIVE_PARAMETERS = 400
"""Source: "What is Azure Policy?", maximum count of Azure Policy objects."""

_RESOURCE_FORM: Mapping[str, Form] = {
    "id": "string",
    "name": "string",
    "type": "string",
    "properties": "object",
    "systemData": "object",
}
_PROPERTIES_FORM: Mapping[str, Form] = {
    "displayName": "string",
    "description": "string",
    "policyType": "string",
    "metadata": "object",
    "version": "string",
    "versions": ("string",),
    "parameters": "object",
    "policyDefinitions": (
        {
            "policyDefinitionId": "string",
            "policyDefinitionReferenceId": "string",
            "definitionVersion": "string",
            "latestDefinitionVersion": "string",
            "effectiveDefinitionVersion": "string",
            "parameters": "object",
            "groupNames": ("string",),
        },
    ),
    "policyDefinitionGroups": (
        {
            "name": "string",
            "displayName": "string",
            "description": "string",
            "category": "string",
            "additionalMetadataId": "string",
        },
    ),
}


@dataclass(frozen=True, slots=True)
class InitiativeMember:
    """A definition in an initiative. `definition` is its id as written; `parameters` has the values as written."""

    path: str
    definition: str
    reference: str = ""
    version: str = ""
    groups: tuple[str, ...] = ()
    parameters: Mapping[str, Operand] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return the reference id, else the name of the definition."""
        return self.reference or name_from_id(self.definition)

    def arguments(self, values: Mapping[str, Json]) -> dict[str, Json]:
        """Return the parameter values that the definition gets, from those of the initiative (by lower-case name).

        Raises:
            InvalidDefinition: an expression that fails, or that needs a resource.
        """
        scope = CompileScope(AliasCatalog({}), values)
        return {
            name: _computed(each, scope, f"{self.path}.parameters.{name}") for name, each in self.parameters.items()
        }


@dataclass(frozen=True, slots=True)
class Initiative:
    """A parsed initiative. `groups` are the names of its policyDefinitionGroups."""

    id: str
    name: str
    members: tuple[InitiativeMember, ...]
    parameters: Mapping[str, ParameterDefinition] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)

    def values(self, given: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """Return the values of its parameters by lower-case name: what is given, else the defaults.

        Raises:
            InvalidDefinition: a value that does not fit, or none for a parameter without a default.
        """
        bound = bind_values(self.parameters, given)
        lacking = missing_parameters(self.parameters, bound)
        if lacking:
            named = " ".join(filter(None, ("the initiative", self.name or self.id)))
            message = f"{named} needs values for {', '.join(lacking[:10])}"
            raise InvalidDefinition(message, path="$.parameters", offending=lacking[0])
        return bound


def name_from_id(identity: str) -> str:
    """Return the last part of the id of a definition or initiative; a version at its end is left out."""
    return identity.partition("/versions/")[0].rpartition("/")[2]


def parse_initiative(source: Mapping[str, Json]) -> Initiative:
    """Read an initiative: the resource with `properties`, or the bare properties.

    Raises:
        InvalidDefinition: what is not an initiative's form, with the path below `properties` and a suggestion.
    """
    outer, inner = split_properties(source, _RESOURCE_FORM, _PROPERTIES_FORM)
    if not isinstance(inner.get("policyDefinitions"), list):
        raise InvalidDefinition("the initiative has no list of policyDefinitions", path="$")
    return Initiative(
        id=str(outer.get("id") or ""),
        name=str(outer.get("name") or ""),
        members=tuple(
            _member(each, f"$.policyDefinitions[{at}]") for at, each in enumerate(inner["policyDefinitions"])
        ),
        parameters=parse_parameters(inner.get("parameters") or {}, "$.parameters"),
        groups=tuple(_group(each, at) for at, each in enumerate(inner.get("policyDefinitionGroups") or ())),
        metadata=inner.get("metadata") or {},
    )


def _member(source: Mapping[str, Json], path: str) -> InitiativeMember:
    if not source.get("policyDefinitionId"):
        raise InvalidDefinition("the member has no policyDefinitionId", path=path, offending=str(source))
    return InitiativeMember(
        path=path,
        definition=source["policyDefinitionId"],
        reference=source.get("policyDefinitionReferenceId") or "",
        version=source.get("definitionVersion") or "",
        groups=tuple(source.get("groupNames") or ()),
        parameters={
            name: _argument(each, f"{path}.parameters.{name}")
            for name, each in (source.get("parameters") or {}).items()
        },
    )


def _argument(source: Json, path: str) -> Operand:
    if not isinstance(source, Mapping) or {str(key).lower() for key in source} != {"value"}:
        raise InvalidDefinition('a parameter value is written as {"value": …}', path=path, offending=str(source))
    return parse_operand(next(iter(source.values())), path)


def _group(source: Mapping[str, Json], at: int) -> str:
    if not source.get("name"):
        raise InvalidDefinition("the group has no name", path=f"$.policyDefinitionGroups[{at}]", offending=str(source))
    return str(source["name"])


def _computed(operand: Operand, scope: CompileScope, path: str) -> Json:
    if any(function_calls(operand, *RESOURCE_FUNCTIONS)):
        raise InvalidDefinition("an initiative knows its parameters only, and no resource", path=path)
    try:
        return compile_operand(operand, scope).read({}, Frame(Resource({}), EMPTY_CONTEXT))
    except EvaluationError as error:
        raise InvalidDefinition(f"this cannot be computed: {error}", path=path) from None


def parameters_used(operand: Operand) -> Iterator[str | None]:
    """Yield the names in the calls of parameters() inside; None for one that is computed."""
    for each in function_calls(operand, "parameters"):
        name = each.arguments[0]
        yield str(name.value) if isinstance(name, Literal) else None
