"""Lint rules about arguments: the values that initiatives and assignments pass to the parameters of others."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from shared.authoring.lint.reference import LintReference
from shared.authoring.lint.subject import LintFinding, LintRule, use_nearest
from shared.domain.lint import LintLevel
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import InitiativeMember
from shared.engine.language.expression import Literal
from shared.engine.language.operand import RESOURCE_FUNCTIONS
from shared.engine.language.parameter import bind_values
from shared.engine.language.traversal import function_calls, parameter_name
from shared.engine.language.tree import Operand, ParameterDefinition

UNKNOWN = "argument-unknown"


class PassesArguments(Protocol):
    """What the rules of this module need."""

    @property
    def references(self) -> tuple[LintReference, ...]:
        """Return everything that values are passed to."""

    @property
    def parameters(self) -> Mapping[str, ParameterDefinition]:
        """Return its own parameters by lower-case name, which it may pass on."""


def _passed_values(subject: PassesArguments) -> Iterator[tuple[str, LintReference, Operand, ParameterDefinition]]:
    """Yield each value that is passed to a declared parameter: path, reference, value, parameter."""
    for each in subject.references:
        for name, operand in each.given.items():
            declared = (each.declared or {}).get(name.lower())
            if declared is not None:
                yield f"{each.path}.parameters.{name}", each, operand, declared


def unknown(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a value for a parameter that the definition does not have.

    Correct its name, or leave it out: Azure refuses it.
    """
    for each in subject.references:
        if each.declared is None:
            continue
        names = tuple(parameter.name for parameter in each.declared.values())
        for name in each.given:
            if name.lower() not in each.declared:
                hint = use_nearest(name, names, f"it has {', '.join(names[:10])}" if names else "leave it out")
                yield LintFinding(
                    f"{each.path}.parameters.{name}", f"{each.label!r} has no parameter {name[:80]!r}", hint
                )


def missing(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a parameter without a default that gets no value.

    Pass one: Azure requires it.
    """
    for each in subject.references:
        given = {name.lower() for name in each.given}
        for low, parameter in (each.declared or {}).items():
            if parameter.required and low not in given:
                message = f"{each.label!r} needs a value for {parameter.name!r}, which has no default"
                yield LintFinding(f"{each.path}.parameters", message, f"pass {parameter.name!r}")


def unfit(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a value, passed or by default, of the wrong type or not among the allowed values.

    Pass a value that the parameter takes, or change the default of the parameter that is passed on.
    """
    defaults = {low: each.default for low, each in subject.parameters.items() if not each.required}
    for path, each, operand, declared in _passed_values(subject):
        if _mismatched(subject, operand, declared):
            continue  # `argument-type` reports it
        try:
            value = InitiativeMember(each.path, each.identity, parameters={declared.name: operand}).arguments(defaults)
        except InvalidDefinition:
            continue  # only an assignment decides it
        reason = _why_refused(declared, value[declared.name])
        if reason:
            by_default = "" if isinstance(operand, Literal) else "by default, "
            yield LintFinding(path, f"{by_default}{declared.name!r} of {each.label!r}: {reason}")


def _why_refused(declared: ParameterDefinition, value: Json) -> str:
    """Return why a parameter does not take a value; "" when it does."""
    try:
        bind_values({declared.name.lower(): declared}, {declared.name: {"value": value}})
    except InvalidDefinition as error:
        return error.message.removeprefix(f"{error.path}: ")
    return ""


def uncomputable(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a value that reads a resource or the time, which an initiative does not know.

    Pass a parameter or a constant; write `[[` for an expression that the definition is to evaluate.
    """
    for path, _, operand, _ in _passed_values(subject):
        read = next(function_calls(operand, *RESOURCE_FUNCTIONS), None)
        if read:
            yield LintFinding(
                path, f"{read.name}() cannot be computed here: only parameters are known", "write [[ to pass it on"
            )


def _mismatched(subject: PassesArguments, operand: Operand, declared: ParameterDefinition) -> bool:
    own = subject.parameters.get(parameter_name(operand) or "")
    return own is not None and "any" not in (own.type, declared.type) and own.type != declared.type


def other_type(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a parameter that is passed on to one of another type.

    Declare both with the same type.
    """
    for path, each, operand, declared in _passed_values(subject):
        own = subject.parameters.get(parameter_name(operand) or "")
        if own is not None and _mismatched(subject, operand, declared):
            message = f"{own.name!r} is of type {own.type}, {declared.name!r} of {each.label!r} of type {declared.type}"
            yield LintFinding(path, message, f"declare {own.name!r} as {declared.type}")


def wider(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a parameter that allows values which the parameter it is passed to refuses.

    Give it the same `allowedValues`, or fewer: otherwise an assignment fails, or the policy ends in an error.
    """
    for path, each, operand, declared in _passed_values(subject):
        own = subject.parameters.get(parameter_name(operand) or "")
        if own is None or declared.allowed is None or _mismatched(subject, operand, declared):
            continue
        shown = ", ".join(map(str, declared.allowed[:10]))
        if own.allowed is None:
            continue
        # An allowed value of an array parameter is one member: it is passed as an array that holds it.
        single = declared.type == "array"
        passed = ((one, [one] if single and not isinstance(one, list) else one) for one in own.allowed)
        if surplus := [one for one, value in passed if _why_refused(declared, value)]:
            more = ", ".join(map(str, surplus[:10]))
            message = f"{own.name!r} allows {more}, {declared.name!r} of {each.label!r} only {shown}"
            yield LintFinding(path, message, f"remove {more} from its allowedValues")


def unrestricted(subject: PassesArguments) -> Iterator[LintFinding]:
    """Find a parameter that takes any value and is passed to one that takes only some.

    Give it the same `allowedValues`, so that people see the choice where they assign the policy.
    """
    for path, each, operand, declared in _passed_values(subject):
        own = subject.parameters.get(parameter_name(operand) or "")
        if own is not None and own.allowed is None and declared.allowed and not _mismatched(subject, operand, declared):
            shown = ", ".join(map(str, declared.allowed[:10]))
            message = f"{own.name!r} takes any value, {declared.name!r} of {each.label!r} only {shown}"
            yield LintFinding(path, message, f"add allowedValues to {own.name!r}")


RULES: tuple[LintRule[PassesArguments], ...] = (
    LintRule(UNKNOWN, LintLevel.ERROR, unknown),
    LintRule("argument-missing", LintLevel.ERROR, missing),
    LintRule("argument-unfit", LintLevel.ERROR, unfit),
    LintRule("argument-uncomputable", LintLevel.ERROR, uncomputable),
    LintRule("argument-type", LintLevel.ERROR, other_type),
    LintRule("argument-wider", LintLevel.WARNING, wider),
    LintRule("argument-unrestricted", LintLevel.NOTE, unrestricted),
)
