"""Lint rules about arguments: the values that initiatives and assignments pass to the parameters of others."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.expression import Literal
from shared.engine.initiative import RESOURCE_BOUND, Member
from shared.engine.operand import calls
from shared.engine.parameter import bind
from shared.engine.tree import Operand, Parameter
from shared.services.lint.reference import Reference
from shared.services.lint.subject import Found, Rule, near, parameter_name


class Passes(Protocol):
    """What the rules of this chapter need."""

    @property
    def references(self) -> tuple[Reference, ...]:
        """Everything that values are passed to."""

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its own parameters by lower-case name, which it may pass on."""


def _met(subject: Passes) -> Iterator[tuple[str, Reference, Operand, Parameter]]:
    """Each value that is passed to a declared parameter: path, reference, value, parameter."""
    for each in subject.references:
        for name, operand in each.given.items():
            declared = (each.declared or {}).get(name.lower())
            if declared is not None:
                yield f"{each.path}.parameters.{name}", each, operand, declared


def unknown(subject: Passes) -> Iterator[Found]:
    """A value is passed to a parameter that the definition does not have.

    Mend its name, or leave it out: Azure refuses it.
    """
    for each in subject.references:
        if each.declared is None:
            continue
        names = tuple(parameter.name for parameter in each.declared.values())
        for name in each.given:
            if name.lower() not in each.declared:
                close = near(name, names)
                hint = f"use {close!r}" if close else f"it has {', '.join(names[:10])}" if names else "leave it out"
                yield Found(f"{each.path}.parameters.{name}", f"{each.label!r} has no parameter {name[:80]!r}", hint)


def missing(subject: Passes) -> Iterator[Found]:
    """A parameter without a default gets no value.

    Pass one: Azure refuses what leaves it open.
    """
    for each in subject.references:
        given = {name.lower() for name in each.given}
        for low, parameter in (each.declared or {}).items():
            if parameter.required and low not in given:
                message = f"{each.label!r} needs a value for {parameter.name!r}, which has no default"
                yield Found(f"{each.path}.parameters", message, f"pass {parameter.name!r}")


def unfit(subject: Passes) -> Iterator[Found]:
    """A value that is passed, or comes of the defaults, is of a wrong type or not one of the allowed values.

    Pass a value that the parameter takes, or change the default of the parameter that is passed on.
    """
    defaults = {low: each.default for low, each in subject.parameters.items() if not each.required}
    for path, each, operand, declared in _met(subject):
        if _mismatched(subject, operand, declared):
            continue  # `argument-type` tells
        try:
            value = Member(each.path, each.identity, parameters={declared.name: operand}).arguments(defaults)
        except InvalidDefinition:
            continue  # only an assignment can tell
        reason = _refusal(declared, value[declared.name])
        if reason:
            by_default = "" if isinstance(operand, Literal) else "by default, "
            yield Found(path, f"{by_default}{declared.name!r} of {each.label!r}: {reason}")


def _refusal(declared: Parameter, value: Json) -> str:
    """Why a parameter does not take a value; "" when it does."""
    try:
        bind({declared.name.lower(): declared}, {declared.name: {"value": value}})
    except InvalidDefinition as error:
        return error.message.removeprefix(f"{error.path}: ")
    return ""


def uncomputable(subject: Passes) -> Iterator[Found]:
    """A value reads a resource or the time, which an initiative does not know.

    Pass a parameter or a constant; write `[[` for an expression that the definition is to evaluate.
    """
    for path, _, operand, _ in _met(subject):
        read = next((each.name for each in calls(operand) if each.name.lower() in RESOURCE_BOUND), None)
        if read:
            yield Found(path, f"{read}() cannot be computed here: only parameters are known", "write [[ to pass it on")


def _mismatched(subject: Passes, operand: Operand, declared: Parameter) -> bool:
    own = subject.parameters.get(parameter_name(operand) or "")
    return own is not None and "any" not in (own.type, declared.type) and own.type != declared.type


def other_type(subject: Passes) -> Iterator[Found]:
    """A parameter is passed on to one of another type.

    Declare both with the same type.
    """
    for path, each, operand, declared in _met(subject):
        own = subject.parameters.get(parameter_name(operand) or "")
        if own is not None and _mismatched(subject, operand, declared):
            message = f"{own.name!r} is of type {own.type}, {declared.name!r} of {each.label!r} of type {declared.type}"
            yield Found(path, message, f"declare {own.name!r} as {declared.type}")


def wider(subject: Passes) -> Iterator[Found]:
    """A parameter that is passed on allows values that the one it is passed to refuses.

    Give it the same `allowedValues`, or fewer: otherwise an assignment fails, or the policy ends in an error.
    """
    for path, each, operand, declared in _met(subject):
        own = subject.parameters.get(parameter_name(operand) or "")
        if own is None or declared.allowed is None or _mismatched(subject, operand, declared):
            continue
        shown = ", ".join(map(str, declared.allowed[:10]))
        if own.allowed is None:
            message = f"{own.name!r} takes any value, {declared.name!r} of {each.label!r} only {shown}"
            yield Found(path, message, f"add allowedValues to {own.name!r}")
        elif surplus := [one for one in own.allowed if _refusal(declared, _as_given(one, declared))]:
            more = ", ".join(map(str, surplus[:10]))
            message = f"{own.name!r} allows {more}, {declared.name!r} of {each.label!r} only {shown}"
            yield Found(path, message, f"remove {more} from its allowedValues")


def _as_given(choice: Json, declared: Parameter) -> Json:
    """An allowed value as it would be passed: arrays hold some of them."""
    return [choice] if declared.type == "array" and not isinstance(choice, list) else choice


RULES: tuple[Rule[Passes], ...] = (
    Rule("argument-unknown", Level.ERROR, unknown),
    Rule("argument-missing", Level.ERROR, missing),
    Rule("argument-unfit", Level.ERROR, unfit),
    Rule("argument-uncomputable", Level.ERROR, uncomputable),
    Rule("argument-type", Level.ERROR, other_type),
    Rule("argument-wider", Level.WARNING, wider),
)
