"""Lint rules about the effect: allowed in the mode, chosen at assignment, with the details it needs."""

import re
from collections.abc import Iterator, Mapping

from shared.authoring.lint.subject import (
    DETAILS,
    DefinitionSubject,
    LintFinding,
    LintRule,
    effect_spelled,
    member,
    use_nearest,
)
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine.compile.applicability import possible_types
from shared.engine.compile.effect import EFFECTS, IF_NOT_EXISTS
from shared.engine.language.expression import FunctionCall, Literal, is_expression

EFFECT_PATH = "$.policyRule.then.effect"
IF_NOT_EXISTS_LOWERED = frozenset(each.lower() for each in IF_NOT_EXISTS)
RESOURCE_MANAGER_EFFECTS = frozenset(
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
MODE_EFFECTS: Mapping[str, frozenset[str]] = {
    "all": RESOURCE_MANAGER_EFFECTS,
    "indexed": RESOURCE_MANAGER_EFFECTS,
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
_ROLE_ID = re.compile(
    r"(/subscriptions/[^/]+|/providers/Microsoft\.Management/managementGroups/[^/]+)?"
    r"/providers/Microsoft\.Authorization/roleDefinitions/[0-9a-f-]{36}",
    re.IGNORECASE,
)
_EVALUATION_DELAY = re.compile(
    r"AfterProvisioning(Success|Failure)?|P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?", re.IGNORECASE
)
_SCOPE_NAMES = frozenset(("subscription", "resourcegroup"))
_DETAILS_FAMILIES = (
    frozenset(("audit", "deny", "append", "modify")),
    IF_NOT_EXISTS_LOWERED,
    frozenset(("manual",)),
    frozenset(("denyaction",)),
)
_DEPRECATED = {"enforceopaconstraint": "audit, deny or mutate", "enforceregopolicy": "audit, deny or mutate"}
_NO_DETAILS = frozenset(("audit", "deny", "disabled"))


def fixed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect that is written into the rule.

    Declare a parameter `effect` and write `[parameters('effect')]`, so that an assignment can begin with `audit`.
    """
    effect = subject.tree.effect
    if isinstance(effect, Literal) and not subject.static and effect.value:
        written = str(effect.value)
        yield LintFinding(
            EFFECT_PATH, f"the effect is always {written!r}", "declare a parameter 'effect' with this as its default"
        )


def cannot_disable(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect parameter that does not allow `disabled`, or that allows anything.

    Add `disabled` to its `allowedValues`, so that an assignment can switch one policy of an initiative off.
    """
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    if parameter is None:
        return
    path = f"$.parameters.{parameter.name}"
    if parameter.allowed is None:
        yield LintFinding(path, "any text can be given as the effect", "list the effects in allowedValues")
    elif "disabled" not in {str(each).lower() for each in parameter.allowed}:
        yield LintFinding(f"{path}.allowedValues", "an assignment cannot switch the policy off", "allow 'disabled' too")


def without_default(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect parameter without a default value.

    Default to the mildest effect that is useful, usually `audit`.
    """
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    if parameter is not None and parameter.required:
        yield LintFinding(f"$.parameters.{parameter.name}", "the effect has no default", "default to 'audit'")


def unknown(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect that does not exist, in the rule or among the values of the effect parameter.

    Correct its spelling.
    """
    for each in subject.effects:
        if each not in EFFECTS and not is_expression(each):
            yield LintFinding(_where(subject), f"there is no effect {each!r}", use_nearest(each, EFFECTS.values()))


def _where(subject: DefinitionSubject) -> str:
    parameter = subject.tree.parameters.get(subject.effect_parameter or "")
    return EFFECT_PATH if parameter is None else f"$.parameters.{parameter.name}"


def unknown_mode(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a mode that does not exist.

    Write `All`, `Indexed` or the mode of a data plane.
    """
    mode = subject.tree.mode
    if mode.lower() not in MODE_EFFECTS and not subject.static:
        yield LintFinding("$.mode", f"there is no mode {mode!r}", use_nearest(mode, _MODE_NAMES))


def wrong_mode(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect that the mode does not support.

    Change the mode or the effect. `All` and `Indexed` support the effects of Resource Manager, each data-plane mode
    its own.
    """
    allowed = MODE_EFFECTS.get(subject.tree.mode.lower())
    for each in subject.effects:
        if allowed is not None and each in EFFECTS and each not in allowed:
            known = ", ".join(sorted(map(effect_spelled, allowed)))
            message = f"mode {subject.tree.mode} does not support the effect {effect_spelled(each)!r}"
            yield LintFinding(_where(subject), message, f"it supports {known}")


def mixed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect parameter whose effects need different details.

    Split the policy: `audit`, `deny`, `append` and `modify` can replace each other, and so can the two IfNotExists
    effects.
    """
    given = set(subject.effects) - {"disabled"}
    # `disabled` reads no details, and so goes with any family.
    families = [family & given for family in _DETAILS_FAMILIES if family & given]
    if len(families) > 1:
        named = " and ".join("/".join(sorted(map(effect_spelled, family))) for family in families)
        yield LintFinding(
            _where(subject), f"{named} cannot replace each other: their details differ", "split the policy"
        )


def without_roles(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `modify` or `deployIfNotExists` without `roleDefinitionIds`.

    Name the least-privileged role that allows the change; the assignment's identity gets it.
    """
    if subject.may("modify", "deployIfNotExists") and subject.details and not subject.details.roles:
        needing = "modify" if subject.may("modify") else "deployIfNotExists"
        yield LintFinding(
            DETAILS,
            f"{needing} has no roleDefinitionIds, so its identity may change nothing",
            "name the least role that may make the change",
        )


def malformed_role(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an entry of `roleDefinitionIds` that is not the full id of a role definition.

    Write `/providers/Microsoft.Authorization/roleDefinitions/<guid>`.
    """
    for at, each in enumerate(subject.details.roles if subject.details else ()):
        if not _ROLE_ID.fullmatch(each) and not is_expression(each):
            yield LintFinding(
                f"{DETAILS}.roleDefinitionIds[{at}]",
                f"{each!r} is not the id of a role definition",
                "/providers/Microsoft.Authorization/roleDefinitions/<guid>",
            )


def idle_roles(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `roleDefinitionIds` where no effect changes anything.

    Remove them: nothing needs the permission.
    """
    changes = subject.may("modify", "deployIfNotExists", "mutate") or not set(subject.effects) <= EFFECTS.keys()
    if subject.details and subject.details.roles and subject.effects and not changes:
        yield LintFinding(
            f"{DETAILS}.roleDefinitionIds", "no effect of the policy changes anything", "remove the roles"
        )


def without_deployment(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find `deployIfNotExists` without a template to deploy.

    Add `deployment.properties.template`.
    """
    if not subject.may("deployIfNotExists") or subject.details is None:
        return
    if member(subject.details.source, "deployment", "properties", "template") is None:
        yield LintFinding(DETAILS, "deployIfNotExists has nothing to deploy", "add deployment.properties.template")


def without_location(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a deployment to the subscription without a `location`, where Azure keeps its record.

    Add `deployment.location`.
    """
    details = subject.details
    if subject.may("deployIfNotExists") and details and details.deployment_scope.lower() == "subscription":
        deployment = member(details.source, "deployment")
        if deployment is not None and member(deployment, "location") is None:
            yield LintFinding(f"{DETAILS}.deployment", "a subscription deployment needs a location", "add location")


def without_name(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an IfNotExists effect that looks for a resource of the rule's own type and does not say which one.

    Write `"name": "[field('name')]"`, or `[field('fullName')]` for a child: otherwise another resource may satisfy it.
    """
    details = subject.details
    if not subject.may(*IF_NOT_EXISTS) or details is None or details.name is not None:
        return
    if possible_types(subject.tree.condition, {}) == frozenset({details.type.lower()}):
        yield LintFinding(DETAILS, f"which {details.type} is meant is left open", "add name: [field('name')]")


def without_existence(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an IfNotExists effect without an `existenceCondition`, which any resource of the type satisfies.

    Say what the related resource must be like, unless its existence is all that counts.
    """
    if subject.may(*IF_NOT_EXISTS) and subject.details and subject.details.existence is None:
        named = "" if subject.details.name is None else " of that name"
        yield LintFinding(
            DETAILS,
            f"any {subject.details.type or 'related resource'}{named} will do, whatever its settings",
            "add an existenceCondition",
        )


def unknown_delay(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an `evaluationDelay` that is neither a provisioning stage nor a duration.

    Write `AfterProvisioning`, `AfterProvisioningSuccess`, `AfterProvisioningFailure` or an ISO 8601 duration.
    """
    delay = _text(subject, "evaluationDelay")
    if delay is not None and not _EVALUATION_DELAY.fullmatch(delay):
        yield LintFinding(
            f"{DETAILS}.evaluationDelay",
            f"{delay!r} is not an evaluation delay",
            "AfterProvisioning, AfterProvisioningSuccess, AfterProvisioningFailure or a duration such as PT30M",
        )


def unknown_scope(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an `existenceScope` or `deploymentScope` that is neither `resourceGroup` nor `subscription`.

    Write one of the two.
    """
    for key in ("existenceScope", "deploymentScope"):
        scope = _text(subject, key)
        if scope is not None and scope.lower() not in _SCOPE_NAMES:
            yield LintFinding(f"{DETAILS}.{key}", f"{scope!r} is not a scope", "resourceGroup or subscription")


def _text(subject: DefinitionSubject, key: str) -> str | None:
    """Return a literal string of the details."""
    found: Json = member(subject.details.source, key) if subject.details else None
    return found if isinstance(found, str) and not is_expression(found) else None


def idle_details(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find details that no effect reads.

    Remove them.
    """
    source = subject.tree.details
    if source and subject.tree.mode in {"All", "Indexed"} and subject.effects and set(subject.effects) <= _NO_DETAILS:
        yield LintFinding(DETAILS, "no effect of the policy reads the details", "remove them")


def append_tag(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a tag that `append` sets, which leaves existing resources as they are.

    Use `modify`, which can also be remediated.
    """
    for at, each in enumerate(subject.details.changes if subject.details else ()):
        name = str(each.field.value) if isinstance(each.field, Literal) else ""
        if each.operation == "append" and name.lower().startswith("tags"):
            yield LintFinding(
                f"{DETAILS}[{at}].field", "append does not change existing resources", "use modify for tags"
            )


def deprecated(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect or a mode that is deprecated.

    Use its successor.
    """
    for each in subject.effects:
        if each in _DEPRECATED:
            yield LintFinding(
                _where(subject), f"the effect {effect_spelled(each)!r} is deprecated", f"use {_DEPRECATED[each]}"
            )
    if subject.tree.mode.lower() == "microsoft.containerservice.data":
        yield LintFinding("$.mode", f"the mode {subject.tree.mode} is deprecated", "use Microsoft.Kubernetes.Data")


def computed(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find an effect that is computed from more than a parameter.

    Write a plain `[parameters('effect')]`.
    """
    if isinstance(subject.tree.effect, FunctionCall) and subject.effect_parameter is None:
        yield LintFinding(
            EFFECT_PATH, "the effect is computed, so readers cannot see what the policy does", "use a plain parameter"
        )


RULES = (
    LintRule("effect-fixed", LintLevel.WARNING, fixed),
    LintRule("effect-computed", LintLevel.WARNING, computed),
    LintRule("effect-not-disableable", LintLevel.WARNING, cannot_disable),
    LintRule("effect-no-default", LintLevel.WARNING, without_default),
    LintRule("effect-unknown", LintLevel.ERROR, unknown),
    LintRule("effect-mode", LintLevel.ERROR, wrong_mode),
    LintRule("mode-unknown", LintLevel.ERROR, unknown_mode),
    LintRule("effect-mixed", LintLevel.WARNING, mixed),
    LintRule("effect-deprecated", LintLevel.WARNING, deprecated),
    LintRule("roles-missing", LintLevel.ERROR, without_roles),
    LintRule("role-malformed", LintLevel.WARNING, malformed_role),
    LintRule("roles-idle", LintLevel.NOTE, idle_roles),
    LintRule("deployment-missing", LintLevel.ERROR, without_deployment),
    LintRule("deployment-location", LintLevel.ERROR, without_location),
    LintRule("existence-name", LintLevel.WARNING, without_name),
    LintRule("existence-missing", LintLevel.NOTE, without_existence),
    LintRule("delay-unknown", LintLevel.WARNING, unknown_delay),
    LintRule("scope-unknown", LintLevel.WARNING, unknown_scope),
    LintRule("details-idle", LintLevel.NOTE, idle_details),
    LintRule("append-tag", LintLevel.NOTE, append_tag),
)
