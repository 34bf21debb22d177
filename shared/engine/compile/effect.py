"""Effects: what a policy does about a resource that its rule matches, and the details that say how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.domain.spelling import lowered
from shared.engine.alias import AliasCatalog
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.scope import CompileScope
from shared.engine.error import EvaluationError, InvalidDefinition, nearest, unknown_word
from shared.engine.language.expression import Literal, is_expression
from shared.engine.language.operand import RESOURCE_FUNCTIONS, parse_operand
from shared.engine.language.parser import parse_condition
from shared.engine.language.traversal import function_calls
from shared.engine.language.tree import Definition, Node, Operand

EFFECTS: Mapping[str, str] = {
    name.lower(): name
    for name in (
        "audit",
        "deny",
        "disabled",
        "append",
        "modify",
        "auditIfNotExists",
        "deployIfNotExists",
        "denyAction",
        "manual",
        "addToNetworkGroup",
        "mutate",
        "auditAction",
        "enforceOPAConstraint",
        "enforceRegoPolicy",
        "enforceSetting",
        "deployCertificate",
    )
}
IF_NOT_EXISTS = frozenset({"auditIfNotExists", "deployIfNotExists"})
EXISTENCE_CONDITIONS = 128
CONFLICT_EFFECTS = ("audit", "deny", "disabled")
DEFAULT_STATES = ("Compliant", "NonCompliant", "Non-compliant", "Unknown")
EXISTENCE_SCOPES = ("ResourceGroup", "Subscription")
MODIFY_OPERATIONS = {"add": "add", "addorreplace": "addOrReplace", "remove": "remove"}
_DETAILS_PATH = "$.policyRule.then.details"
_RELATED_KEYS = ("type", "name", "resourceGroupName", "existenceScope", "existenceCondition", "evaluationDelay")
_DETAILS_KEYS = (
    *_RELATED_KEYS,
    *("deployment", "deploymentScope", "roleDefinitionIds", "conflictEffect", "operations"),
    *("actionNames", "cascadeBehaviors", "defaultState", "message"),
)
"""Of the effects that read details; some definitions carry a message there, which nothing reads."""
_EFFECTS_WITH_DETAILS = frozenset({*IF_NOT_EXISTS, "modify", "append", "denyAction", "manual"})
_ENTRY_KEYS = ("field", "value")
_OPERATION_KEYS = ("operation", "field", "value", "condition")


@dataclass(frozen=True, slots=True)
class DeclaredOperation:
    """One append entry or modify operation, as written."""

    operation: str
    field: Operand
    value: Operand | None
    condition: Operand | None


@dataclass(frozen=True, slots=True)
class DeclaredDetails:
    """`then.details`, read as far as the engine understands it; `source` is the whole as written."""

    source: Json = None
    type: str = ""
    name: Operand | None = None
    scope: str = "ResourceGroup"
    resource_group: Operand | None = None
    deployment_scope: str = "resourceGroup"
    existence: Node | None = None
    roles: tuple[str, ...] = ()
    changes: tuple[DeclaredOperation, ...] = ()
    conflict: str = "deny"
    delay: Operand | None = None
    default_state: str = "Unknown"

    def names(self) -> set[str]:
        """Return the alias names (lower case) that the changes and the lookup use."""
        return {name for each in self.operands() for name in _field_names(each)}

    def operands(self) -> Iterator[Operand]:
        """Yield every operand of the details."""
        for each in self.changes:
            yield from (each.field, *(part for part in (each.value, each.condition) if part is not None))
        yield from (part for part in (self.name, self.resource_group) if part is not None)


def _field_names(operand: Operand) -> Iterator[str]:
    if isinstance(operand, Literal) and isinstance(operand.value, str):
        yield operand.value.lower()
    for each in function_calls(operand, "field"):
        if isinstance(each.arguments[0], Literal):
            yield str(each.arguments[0].value).lower()


def detail_keys(definition: Definition) -> tuple[str, ...] | None:
    """Return the keys that `then.details` may have; None where nothing reads them, or a resource provider says which.

    Any effect's are allowed under every effect: an assignment, or an override, may put another one in its place.
    """
    effect = definition.effect
    # An effect that a parameter gives may be any of those that read details.
    written = EFFECTS.get(str(effect.value).lower(), "") if isinstance(effect, Literal) else "modify"
    return _DETAILS_KEYS if written in _EFFECTS_WITH_DETAILS and "." not in definition.mode else None


def parse_details(
    effect: str, source: Json, parameters: Mapping[str, Json] | None = None, keys: tuple[str, ...] | None = None
) -> DeclaredDetails:
    """Read the details of an effect; what other effects of the same definition would need is read too.

    Choices such as existenceScope may be expressions of the parameters; without `parameters` they stay as written.
    `keys` are the allowed ones, from `detail_keys`; without them any key is.
    """
    if isinstance(source, list):
        _require(effect, {})
        return DeclaredDetails(
            source, changes=tuple(_entry(each, f"{_DETAILS_PATH}[{at}]") for at, each in enumerate(source))
        )
    if effect == "append" and source is not None:
        raise InvalidDefinition("append needs a list of {field, value}", path=_DETAILS_PATH, offending=str(source))
    if not isinstance(source, Mapping):
        _require(effect, {})
        return DeclaredDetails(source)
    low = {key.lower(): _computed_choice(key, value, parameters) for key, value in source.items()}
    _only(source, keys, _DETAILS_PATH)
    _require(effect, low)
    _values(low)
    roles = low.get("roledefinitionids")
    return DeclaredDetails(
        source=source,
        type=low["type"] if isinstance(low.get("type"), str) else "",
        name=_optional(low, "name"),
        scope=str(low.get("existencescope") or "ResourceGroup"),
        deployment_scope=str(low.get("deploymentscope") or "resourceGroup"),
        resource_group=_optional(low, "resourcegroupname"),
        existence=_existence(low),
        roles=tuple(map(str, roles)) if isinstance(roles, list) else (),
        changes=_operations(low.get("operations")),
        conflict=_conflict(low),
        delay=_optional(low, "evaluationdelay"),
        default_state=str(low.get("defaultstate") or "Unknown"),
    )


_COMPUTED_KEYS = frozenset({"type", "existencescope", "deploymentscope", "conflicteffect", "defaultstate"})


def _computed_choice(key: str, value: Json, parameters: Mapping[str, Json] | None) -> Json:
    """Return a choice that the parameters make; anything else as written."""
    if key.lower() not in _COMPUTED_KEYS or parameters is None or not (isinstance(value, str) and is_expression(value)):
        return value
    path = f"{_DETAILS_PATH}.{key}"
    operand = parse_operand(value, path)
    if any(function_calls(operand, *RESOURCE_FUNCTIONS)):
        raise InvalidDefinition("this can depend on parameters only", path=path, offending=value)
    try:
        computed = compile_operand(operand, CompileScope(AliasCatalog({}), parameters))
    except EvaluationError as error:
        raise InvalidDefinition(str(error), path=path, offending=value) from None
    return computed.value if computed.fixed else value


def _conflict(low: Mapping[str, Json]) -> str:
    written = str(low.get("conflicteffect") or "deny")
    if written.lower() not in CONFLICT_EFFECTS and not is_expression(written):
        raise unknown_word("conflictEffect", written, CONFLICT_EFFECTS, path=f"{_DETAILS_PATH}.conflictEffect")
    return written.lower()


def _require(effect: str, low: Mapping[str, Json]) -> None:
    if effect in IF_NOT_EXISTS and not isinstance(low.get("type"), str):
        raise InvalidDefinition(f"{effect} needs the type of the related resource", path=f"{_DETAILS_PATH}.type")
    if effect == "modify" and not low.get("operations"):
        raise InvalidDefinition("modify needs operations", path=f"{_DETAILS_PATH}.operations")
    if effect == "denyAction":
        _known(low.get("actionnames"), ("delete",), f"{_DETAILS_PATH}.actionNames")
        _known(low.get("cascadebehaviors"), ("allow", "deny"), f"{_DETAILS_PATH}.cascadeBehaviors")


def _values(low: Mapping[str, Json]) -> None:
    """Refuse a value that no effect allows for its key."""
    _one_of(low.get("existencescope"), EXISTENCE_SCOPES, f"{_DETAILS_PATH}.existenceScope")
    _one_of(low.get("defaultstate"), DEFAULT_STATES, f"{_DETAILS_PATH}.defaultState")
    if "deployment" in low and not isinstance(low["deployment"], Mapping):
        message, found = "the deployment must be an object", str(low["deployment"])
        raise InvalidDefinition(message, path=f"{_DETAILS_PATH}.deployment", offending=found)


def _one_of(written: Json, known: tuple[str, ...], path: str) -> None:
    """Refuse a word, if there is one, that is none of the known; an expression is decided later."""
    if written is None or (isinstance(written, str) and is_expression(written)):
        return
    if not isinstance(written, str) or written.lower() not in map(str.lower, known):
        message = f"{str(written)[:60]!r} is none of {', '.join(known)}"
        raise InvalidDefinition(message, path=path, offending=str(written), suggestion=nearest(str(written), known))


def _only(source: Mapping[str, Json], keys: tuple[str, ...] | None, path: str) -> None:
    """Refuse a key that is none of the allowed ones."""
    allowed = None if keys is None else {key.lower() for key in keys}
    for key in source:
        if allowed is not None and key.lower() not in allowed:
            raise unknown_word("key", key, keys or (), path=path)


def _known(source: Json, known: tuple[str, ...], path: str) -> None:
    """Refuse a member of a list, or of an object, that is none of the known words."""
    pairs = source.items() if isinstance(source, Mapping) else enumerate(source) if isinstance(source, list) else ()
    for key, each in pairs:
        if not isinstance(each, str) or (each.lower() not in known and not is_expression(each)):
            place = f"{path}.{key}" if isinstance(source, Mapping) else f"{path}[{key}]"
            message = f"{str(each)[:60]!r} is none of {', '.join(known)}"
            raise InvalidDefinition(message, path=place, offending=str(each), suggestion=nearest(str(each), known))


def _optional(low: Mapping[str, Json], key: str) -> Operand | None:
    return parse_operand(low[key], f"{_DETAILS_PATH}.{key}") if isinstance(low.get(key), str) else None


def _existence(low: Mapping[str, Json]) -> Node | None:
    source = low.get("existencecondition")
    return (
        None if source is None else parse_condition(source, f"{_DETAILS_PATH}.existenceCondition", EXISTENCE_CONDITIONS)
    )


def _entry(source: Json, path: str) -> DeclaredOperation:
    low = _members(source, path, _ENTRY_KEYS)
    if "value" not in low:
        raise InvalidDefinition("an append entry needs a value", path=path, offending=str(source))
    return DeclaredOperation("append", _name(low, path), parse_operand(low["value"], f"{path}.value"), None)


def _operations(source: Json) -> tuple[DeclaredOperation, ...]:
    if source is None:
        return ()
    if not isinstance(source, list):
        raise InvalidDefinition("operations must be a list", path=f"{_DETAILS_PATH}.operations", offending=str(source))
    return tuple(_operation(each, f"{_DETAILS_PATH}.operations[{at}]") for at, each in enumerate(source))


def _operation(source: Json, path: str) -> DeclaredOperation:
    low = _members(source, path, _OPERATION_KEYS)
    written = str(low.get("operation"))
    operation = MODIFY_OPERATIONS.get(written.lower())
    if operation is None:
        raise unknown_word("operation", written, MODIFY_OPERATIONS.values(), path=path)
    if operation != "remove" and "value" not in low:
        raise InvalidDefinition(f"{operation} needs a value", path=path, offending=str(source))
    value = parse_operand(low["value"], f"{path}.value") if operation != "remove" else None
    condition = parse_operand(low["condition"], f"{path}.condition") if "condition" in low else None
    return DeclaredOperation(operation, _name(low, path), value, condition)


def _members(source: Json, path: str, keys: tuple[str, ...]) -> dict[str, Json]:
    if not isinstance(source, Mapping):
        raise InvalidDefinition("expected an object", path=path, offending=str(source))
    _only(source, keys, path)
    return lowered(source)


def _name(low: Mapping[str, Json], path: str) -> Operand:
    if not isinstance(low.get("field"), str):
        raise InvalidDefinition("expected the name of a field", path=f"{path}.field", offending=str(low.get("field")))
    return parse_operand(low["field"], f"{path}.field")
