"""Lint rules about the effect: allowed in the mode, chosen at assignment, with the details it needs."""

import re
from collections.abc import Iterator, Mapping

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine.effect import EFFECTS, IF_NOT_EXISTS
from shared.engine.error import nearest
from shared.engine.expression import Call, Literal, is_expression
from shared.services.lint.subject import DETAILS, Found, Rule, Subject, effect_spelled, member

EFFECT = "$.policyRule.then.effect"
IF_LOW = frozenset(each.lower() for each in IF_NOT_EXISTS)
RESOURCE_MANAGER = frozenset(
    [
        "audit",
        "deny",
        "disabled",
        "append",
        "modify",
        "auditifnotexists",
        "deployifnotexists",
        "denyaction",
        "auditaction",
        "manual",
    ]
)
MODES: Mapping[str, frozenset[str]] = {
    "all": RESOURCE_MANAGER,
    "indexed": RESOURCE_MANAGER,
    "microsoft.kubernetes.data": frozenset(
        ["audit", "deny", "disabled", "mutate", "enforceopaconstraint", "enforceregopolicy"]
    ),
    "microsoft.containerservice.data": frozenset(("enforceregopolicy", "disabled")),
    "microsoft.keyvault.data": frozenset(("audit", "deny", "disabled")),
    "microsoft.managedhsm.data": frozenset(("audit", "deny", "disabled")),
    "microsoft.datafactory.data": frozenset(("deny", "disabled")),
    "microsoft.network.data": frozenset(("addtonetworkgroup", "disabled")),
    "microsoft.machinelearningservices.data": frozenset(("enforcesetting", "audit", "disabled")),
    "microsoft.machinelearningservices.v2.data": frozenset(("audit", "deny", "disabled")),
    "microsoft.cognitiveservices.data": frozenset(("audit", "deny", "disabled")),
    "microsoft.loadtestservice.data": frozenset(("audit", "deny", "disabled")),
}
"""Mode -> effects it takes. Source: "Azure Policy definition structure basics: resource provider modes"."""

_MODE_NAMES = ("All", "Indexed", "Microsoft.Kubernetes.Data", "Microsoft.KeyVault.Data", "Microsoft.Network.Data")
_ROLE = re.compile(
    r"(/subscriptions/[^/]+|/providers/Microsoft\.Management/managementGroups/[^/]+)?"
    r"/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}",
    re.IGNORECASE,
)
_DELAY = re.compile(r"AfterProvisioning(Success|Failure)?|P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.IGNORECASE)
_SCOPES = frozenset(("subscription", "resourcegroup"))
_FAMILIES = (
    frozenset(("audit", "deny", "append", "modify")),
    IF_LOW,
    frozenset(("manual",)),
    frozenset(("denyaction",)),
)
_DEPRECATED = {"enforceopaconstraint": "audit, deny or mutate", "enforceregopolicy": "audit, deny or mutate"}
_NO_DETAILS = frozenset(("audit", "deny", "disabled"))


def fixed(subject: Subject) -> Iterator[Found]:
    """The effect is written into the rule.

    Declare a parameter `effect` and write `[parameters('effect')]`: whoever assigns the policy can begin with
    `audit`.
    """
    effect = subject.tree.effect
    if isinstance(effect, Literal) and not subject.static and effect.value:
        written = str(effect.value)
        yield Found(
            EFFECT, f"the effect is always {written!r}", "declare a parameter 'effect' with this as its default"
        )


def cannot_disable(subject: Subject) -> Iterator[Found]:
    """The effect parameter does not allow `disabled`, or allows anything.

    Put `disabled` among its `allowedValues`: an assignment can then switch one policy of an initiative off.
    """
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    if parameter is None:
        return
    path = f"$.parameters.{parameter.name}"
    if parameter.allowed is None:
        yield Found(path, "any text can be given as the effect", "list the effects in allowedValues")
    elif "disabled" not in {str(each).lower() for each in parameter.allowed}:
        yield Found(f"{path}.allowedValues", "an assignment cannot switch the policy off", "allow 'disabled' too")


def without_default(subject: Subject) -> Iterator[Found]:
    """The effect parameter has no default value.

    Default to the mildest effect that is useful, usually `audit`.
    """
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    if parameter is not None and parameter.required:
        yield Found(f"$.parameters.{parameter.name}", "the effect has no default", "default to 'audit'")


def unknown(subject: Subject) -> Iterator[Found]:
    """The effect, or a choice of the effect parameter, is none that there is.

    Mend its spelling.
    """
    for each in subject.effects:
        if each not in EFFECTS and not is_expression(each):
            near = nearest(each, tuple(EFFECTS.values()))
            yield Found(_where(subject), f"there is no effect {each!r}", f"use {near!r}" if near else None)


def _where(subject: Subject) -> str:
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    return EFFECT if parameter is None else f"$.parameters.{parameter.name}"


def unknown_mode(subject: Subject) -> Iterator[Found]:
    """There is no such mode.

    Write `All`, `Indexed` or the mode of a data plane.
    """
    mode = subject.tree.mode
    if mode.lower() not in MODES and not subject.static:
        near = nearest(mode, _MODE_NAMES)
        yield Found("$.mode", f"there is no mode {mode!r}", f"use {near!r}" if near else None)


def wrong_mode(subject: Subject) -> Iterator[Found]:
    """The mode does not take the effect.

    Change the mode or the effect. `All` and `Indexed` take the effects of Resource Manager, data-plane modes their
    own.
    """
    allowed = MODES.get(subject.tree.mode.lower())
    for each in subject.effects:
        if allowed is not None and each in EFFECTS and each not in allowed:
            known = ", ".join(sorted(map(effect_spelled, allowed)))
            message = f"mode {subject.tree.mode} does not take the effect {effect_spelled(each)!r}"
            yield Found(_where(subject), message, f"it takes {known}")


def mixed(subject: Subject) -> Iterator[Found]:
    """The effect parameter allows effects that need different details.

    Split the policy: `audit`, `deny`, `append` and `modify` can stand in for each other, and so can the two
    IfNotExists effects.
    """
    given = set(subject.effects) - {"disabled"}
    families = [family & given for family in _FAMILIES if family & given]
    if len(families) > 1:
        named = " and ".join("/".join(sorted(map(effect_spelled, family))) for family in families)
        yield Found(
            _where(subject), f"{named} cannot stand in for each other: their details differ", "split the policy"
        )


def without_roles(subject: Subject) -> Iterator[Found]:
    """`modify` or `deployIfNotExists` has no `roleDefinitionIds`.

    Name the least role that may make the change; the assignment's identity gets it.
    """
    if subject.may("modify", "deployIfNotExists") and subject.details and not subject.details.roles:
        needing = "modify" if subject.may("modify") else "deployIfNotExists"
        yield Found(
            DETAILS,
            f"{needing} has no roleDefinitionIds, so its identity may change nothing",
            "name the least role that may make the change",
        )


def malformed_role(subject: Subject) -> Iterator[Found]:
    """A member of `roleDefinitionIds` is not the full id of a role definition.

    Write `/providers/Microsoft.Authorization/roleDefinitions/<guid>`.
    """
    for at, each in enumerate(subject.details.roles if subject.details else ()):
        if not _ROLE.fullmatch(each) and not is_expression(each):
            yield Found(
                f"{DETAILS}.roleDefinitionIds[{at}]",
                f"{each!r} is not the id of a role definition",
                "/providers/Microsoft.Authorization/roleDefinitions/<guid>",
            )


def idle_roles(subject: Subject) -> Iterator[Found]:
    """There are `roleDefinitionIds`, but no effect that changes anything.

    Remove them: nobody needs the permission.
    """
    changes = subject.may("modify", "deployIfNotExists", "mutate") or not set(subject.effects) <= EFFECTS.keys()
    if subject.details and subject.details.roles and subject.effects and not changes:
        yield Found(f"{DETAILS}.roleDefinitionIds", "no effect of the policy changes anything", "remove the roles")


def without_deployment(subject: Subject) -> Iterator[Found]:
    """`deployIfNotExists` has no template to deploy.

    Add `deployment.properties.template`.
    """
    if not subject.may("deployIfNotExists") or subject.details is None:
        return
    if member(subject.details.source, "deployment", "properties", "template") is None:
        yield Found(DETAILS, "deployIfNotExists has nothing to deploy", "add deployment.properties.template")


def without_existence(subject: Subject) -> Iterator[Found]:
    """An IfNotExists effect has no `existenceCondition`, so any resource of the type will do.

    Say what the related resource must be like, or leave it when its existence is all that counts.
    """
    if subject.may(*IF_NOT_EXISTS) and subject.details and subject.details.existence is None:
        named = "" if subject.details.name is None else " of that name"
        yield Found(
            DETAILS,
            f"any {subject.details.type or 'related resource'}{named} will do, whatever its settings",
            "add an existenceCondition",
        )


def unknown_delay(subject: Subject) -> Iterator[Found]:
    """`evaluationDelay` is neither a stage of provisioning nor a duration.

    Write `AfterProvisioning`, `AfterProvisioningSuccess`, `AfterProvisioningFailure` or an ISO 8601 duration.
    """
    delay = _text(subject, "evaluationDelay")
    if delay is not None and not _DELAY.fullmatch(delay):
        yield Found(
            f"{DETAILS}.evaluationDelay",
            f"{delay!r} is no delay",
            "AfterProvisioning, AfterProvisioningSuccess, AfterProvisioningFailure or a duration such as PT30M",
        )


def unknown_scope(subject: Subject) -> Iterator[Found]:
    """`existenceScope` or `deploymentScope` is neither `resourceGroup` nor `subscription`.

    Write one of the two.
    """
    for key in ("existenceScope", "deploymentScope"):
        scope = _text(subject, key)
        if scope is not None and scope.lower() not in _SCOPES:
            yield Found(f"{DETAILS}.{key}", f"{scope!r} is no scope", "resourceGroup or subscription")


def _text(subject: Subject, key: str) -> str | None:
    """A literal string of the details."""
    found: Json = member(subject.details.source, key) if subject.details else None
    return found if isinstance(found, str) and not is_expression(found) else None


def idle_details(subject: Subject) -> Iterator[Found]:
    """There are details, but no effect that reads them.

    Remove them.
    """
    source = subject.tree.details
    if source and subject.tree.mode in {"All", "Indexed"} and subject.effects and set(subject.effects) <= _NO_DETAILS:
        yield Found(DETAILS, "no effect of the policy reads the details", "remove them")


def append_tag(subject: Subject) -> Iterator[Found]:
    """A tag is set by `append`, which leaves existing resources as they are.

    Use `modify`, which can also be remediated.
    """
    for at, each in enumerate(subject.details.changes if subject.details else ()):
        name = str(each.field.value) if isinstance(each.field, Literal) else ""
        if each.operation == "append" and name.lower().startswith("tags"):
            yield Found(f"{DETAILS}[{at}].field", "append cannot mend resources that exist", "use modify for tags")


def deprecated(subject: Subject) -> Iterator[Found]:
    """The effect or the mode is deprecated.

    Use its successor.
    """
    for each in subject.effects:
        if each in _DEPRECATED:
            yield Found(
                _where(subject), f"the effect {effect_spelled(each)!r} is deprecated", f"use {_DEPRECATED[each]}"
            )
    if subject.tree.mode.lower() == "microsoft.containerservice.data":
        yield Found("$.mode", f"the mode {subject.tree.mode} is deprecated", "use Microsoft.Kubernetes.Data")


def computed(subject: Subject) -> Iterator[Found]:
    """The effect is computed by more than a parameter.

    Write a plain `[parameters('effect')]`.
    """
    if isinstance(subject.tree.effect, Call) and subject.effect_parameter is None:
        yield Found(EFFECT, "the effect is computed, so what the policy does cannot be seen", "use a plain parameter")


RULES = (
    Rule("effect-fixed", Level.WARNING, fixed),
    Rule("effect-computed", Level.WARNING, computed),
    Rule("effect-not-disableable", Level.WARNING, cannot_disable),
    Rule("effect-no-default", Level.WARNING, without_default),
    Rule("effect-unknown", Level.ERROR, unknown),
    Rule("effect-mode", Level.ERROR, wrong_mode),
    Rule("mode-unknown", Level.ERROR, unknown_mode),
    Rule("effect-mixed", Level.WARNING, mixed),
    Rule("effect-deprecated", Level.WARNING, deprecated),
    Rule("roles-missing", Level.ERROR, without_roles),
    Rule("role-malformed", Level.WARNING, malformed_role),
    Rule("roles-idle", Level.NOTE, idle_roles),
    Rule("deployment-missing", Level.ERROR, without_deployment),
    Rule("existence-missing", Level.NOTE, without_existence),
    Rule("delay-unknown", Level.WARNING, unknown_delay),
    Rule("scope-unknown", Level.WARNING, unknown_scope),
    Rule("details-idle", Level.NOTE, idle_details),
    Rule("append-tag", Level.NOTE, append_tag),
)
