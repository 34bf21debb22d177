"""The details of an effect for one resource, with every expression computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json, Resource
from shared.engine.context import EMPTY, Context, Frame
from shared.engine.effect import Change
from shared.engine.error import EvaluationError
from shared.engine.evaluate import compile_operand
from shared.engine.field import resolve, tag_name
from shared.engine.operand import parse_operand
from shared.engine.policy import Policy
from shared.engine.scope import Scope
from shared.engine.tree import Operand
from shared.engine.unknown import hole
from shared.engine.value import expect_boolean, expect_text


@dataclass(frozen=True, slots=True)
class Operation:
    """One change to make: `operation` is append, add, addOrReplace or remove.

    `path` is the property path in the body (`tags.x` as the steps ("tags", "x")); `applies` is the answer of the
    operation's condition.
    """

    operation: str
    field: str
    steps: tuple[str, ...]
    value: Json = None
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Effects:
    """What the effect of a policy comes to for one resource.

    `operations` for append and modify; `deployment` {properties: {mode, template, parameters}, location?} and `scope`
    for deployIfNotExists; `related` {type, name?, resourceGroupName?, existenceScope} for both IfNotExists effects;
    `details` holds the details of any other effect with its expressions computed.
    """

    effect: str
    operations: tuple[Operation, ...] = ()
    conflict: str = "deny"
    roles: tuple[str, ...] = ()
    deployment: Mapping[str, Json] | None = None
    scope: str = "resourceGroup"
    related: Mapping[str, Json] = field(default_factory=dict)
    existence: Json = None
    delay: str | None = None
    default_state: str = "Unknown"
    details: Json = None


def effects(policy: Policy, resource: Resource, context: Context = EMPTY) -> Effects:
    """Compute the details of a policy's effect.

    Raises:
        EvaluationError: an expression of the details fails, or needs a part that was not read.
    """
    return _Details(policy, Frame(resource, context)).effects()


class _Details:
    """The details of one policy and the resource they are computed for."""

    def __init__(self, policy: Policy, frame: Frame) -> None:
        self.policy, self.frame = policy, frame
        self.scope = Scope(policy.catalog, policy.parameters, frame.type, frame.resource.api_version)

    def effects(self) -> Effects:
        details = self.policy.details
        source = details.source if isinstance(details.source, Mapping) else {}
        low = {key.lower(): value for key, value in source.items()}
        delay = self.value(details.delay)
        plain = details.changes or low.get("deployment") or details.existence
        return Effects(
            effect=self.policy.effect,
            operations=tuple(map(self.operation, details.changes)),
            conflict=details.conflict,
            roles=details.roles,
            deployment=self.deployment(low.get("deployment")),
            scope=details.deployment_scope,
            related=self.related(),
            existence=low.get("existencecondition"),
            delay=None if delay is None else expect_text(delay),
            default_state=details.default_state,
            details=None if plain else self.computed(details.source),
        )

    def value(self, operand: Operand | None) -> Json:
        if operand is None:
            return None
        found = compile_operand(operand, self.scope).read(self.frame.body, self.frame)
        if gap := hole(found):
            raise EvaluationError(f"{gap.part} was not read ({gap.reason})")
        return found

    def computed(self, source: Json) -> Json:
        return self.value(parse_operand(source, "$.policyRule.then.details"))

    def operation(self, change: Change) -> Operation:
        name = expect_text(self.value(change.field))
        applies = change.condition is None or _truth(self.value(change.condition))
        value = self.value(change.value) if applies else None
        return Operation(change.operation, name, self.steps(name), value, applies)

    def steps(self, name: str) -> tuple[str, ...]:
        tag = tag_name(name)
        if tag is not None:
            return ("tags", tag)
        path = resolve(name, self.scope).path
        if path is None:
            raise EvaluationError(f"{name!r} is not an alias of {self.frame.resource.type or 'this resource'}")
        return tuple(path.split("."))

    def deployment(self, source: Json) -> Mapping[str, Json] | None:
        if not isinstance(source, Mapping):
            return None
        properties = dict(source.get("properties") or {})
        given = properties.get("parameters") or {}
        properties["parameters"] = {name: self.parameter(each) for name, each in given.items()}
        rest = {key: self.computed(value) for key, value in source.items() if key != "properties"}
        return {**rest, "properties": properties}

    def parameter(self, source: Json) -> Json:
        return self.computed(source) if isinstance(source, Mapping) else {"value": self.computed(source)}

    def related(self) -> Mapping[str, Json]:
        details = self.policy.details
        if not details.type:
            return {}
        found = {
            "type": details.type,
            "name": self.value(details.name),
            "resourceGroupName": self.value(details.resource_group),
            "existenceScope": details.scope,
        }
        return {key: value for key, value in found.items() if value is not None}


def _truth(value: Json) -> bool:
    return value.lower() == "true" if isinstance(value, str) else expect_boolean(value)
