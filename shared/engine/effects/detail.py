"""The details of an effect for one resource, with every expression computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json, Resource
from shared.domain.spelling import lowered
from shared.engine.compile.effect import DeclaredOperation
from shared.engine.compile.evaluate import compile_operand
from shared.engine.compile.field import resolve_field, tag_name
from shared.engine.compile.policy import Policy
from shared.engine.compile.scope import CompileScope
from shared.engine.context import EMPTY_CONTEXT, Context, Frame
from shared.engine.error import EvaluationError
from shared.engine.language.operand import parse_operand
from shared.engine.language.tree import Operand
from shared.engine.unknown import first_unknown
from shared.engine.value import expect_boolean, expect_text


@dataclass(frozen=True, slots=True)
class EffectOperation:
    """One change to make: `operation` is append, add, addOrReplace or remove.

    `steps` is the property path in the body (`tags.x` as ("tags", "x")); `applies` is the answer of the operation's
    condition, and one that does not apply has no steps.
    """

    operation: str
    field: str
    steps: tuple[str, ...]
    value: Json = None
    applies: bool = True


@dataclass(frozen=True, slots=True)
class EffectDetails:
    """What the effect of a policy comes to for one resource.

    `operations` for append and modify; `deployment` {properties: {mode, template, parameters}, location?} and `scope`
    for deployIfNotExists; `related` {type, name?, resourceGroupName?, existenceScope} for both IfNotExists effects;
    `details` holds the details of any other effect with its expressions computed.
    """

    effect: str
    operations: tuple[EffectOperation, ...] = ()
    conflict: str = "deny"
    roles: tuple[str, ...] = ()
    deployment: Mapping[str, Json] | None = None
    scope: str = "resourceGroup"
    related: Mapping[str, Json] = field(default_factory=dict)
    existence: Json = None
    delay: str | None = None
    default_state: str = "Unknown"
    details: Json = None


def effect_details(policy: Policy, resource: Resource, context: Context = EMPTY_CONTEXT) -> EffectDetails:
    """Compute the details of a policy's effect.

    Raises:
        EvaluationError: an expression of the details fails, or needs a part that was not read.
    """
    return _Details(policy, Frame(resource, context)).effects()


class _Details:
    """The details of one policy and the resource they are computed for."""

    def __init__(self, policy: Policy, frame: Frame) -> None:
        self.policy, self.frame = policy, frame
        self.scope = CompileScope(policy.catalog, policy.parameters, frame.type, frame.api_version)

    def effects(self) -> EffectDetails:
        details = self.policy.details
        source = details.source if isinstance(details.source, Mapping) else {}
        low = lowered(source)
        delay = self.value(details.delay)
        plain = details.changes or low.get("deployment") or details.existence
        return EffectDetails(
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
        if gap := first_unknown(found):
            raise EvaluationError(f"{gap.part} was not read ({gap.reason})")
        return found

    def computed(self, source: Json) -> Json:
        return self.value(parse_operand(source, "$.policyRule.then.details"))

    def operation(self, change: DeclaredOperation) -> EffectOperation:
        name = expect_text(self.value(change.field))
        applies = change.condition is None or _truth(self.value(change.condition))
        if not applies:  # its field may be of another type: the condition is what tells them apart
            return EffectOperation(change.operation, name, (), applies=False)
        return EffectOperation(change.operation, name, self.steps(name), self.value(change.value))

    def steps(self, name: str) -> tuple[str, ...]:
        tag = tag_name(name)
        if tag is not None:
            return ("tags", tag)
        path = resolve_field(name, self.scope).path
        if path is None:
            raise EvaluationError(f"{name!r} is not an alias of {self.frame.resource.type or 'this resource'}")
        return tuple(path.split("."))

    def deployment(self, source: Json) -> Mapping[str, Json] | None:
        if not isinstance(source, Mapping):
            return None
        properties = dict(source.get("properties") or {})
        given = properties.get("parameters") or {}
        # Parameters are expressions of the policy; those inside the template are for Resource Manager.
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
