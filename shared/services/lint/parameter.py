"""Lint rules about parameters: declared and used, with defaults that fit and words that explain them."""

from collections.abc import Iterator

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.error import nearest
from shared.engine.expression import Literal
from shared.engine.parameter import bind
from shared.engine.tree import Parameter
from shared.engine.value import text as text_of
from shared.services.lint.subject import RULE, Declares, Found, Rule, Subject, called, member, strings


def _uses(subject: Subject) -> Iterator[tuple[str, str | None]]:
    """Each call of parameters() with its path and the name (None: computed); a deployment template has its own."""
    for path, text in strings(subject.properties.get("policyrule"), RULE):
        if ".properties.template." not in path.lower():
            for call in called(text):
                if call.name.lower() == "parameters" and call.arguments:
                    name = call.arguments[0]
                    yield path, str(name.value) if isinstance(name, Literal) else None


def unused(subject: Subject) -> Iterator[Found]:
    """A declared parameter is used nowhere in the rule.

    Remove it, or use it. Parameters of a deployment template are others than those of the policy.
    """
    names = {name.lower() if name is not None else None for _, name in _uses(subject)}
    if None in names or subject.static:
        return
    for low, each in subject.tree.parameters.items():
        if low not in names:
            yield Found(f"$.parameters.{each.name}", f"the parameter {each.name!r} is used nowhere", "remove it")


def undeclared(subject: Subject) -> Iterator[Found]:
    """The rule or its details use a parameter that is not declared.

    Declare it under `parameters`, or mend its name.
    """
    names = tuple(each.name for each in subject.tree.parameters.values())
    for path, name in _uses(subject):
        if name is not None and name.lower() not in subject.tree.parameters:
            near = nearest(name, names)
            hint = f"use {near!r}" if near else f"declare {name!r}"
            yield Found(path, f"the parameter {name!r} is not declared", hint)


def without_default(subject: Declares) -> Iterator[Found]:
    """A parameter has no default value.

    Give it a `defaultValue`, so that the policy can be judged and previewed before it is assigned.
    """
    for low, each in subject.parameters.items():
        if each.required and low != subject.effect_parameter:
            message = f"the parameter {each.name!r} has no default, so nothing is judged before someone assigns a value"
            yield Found(f"$.parameters.{each.name}", message, "add a defaultValue that is safe for most")


def unfit_default(subject: Declares) -> Iterator[Found]:
    """The default of a parameter is not of its type or not one of its allowed values.

    Change the default, the type or the allowed values.
    """
    for low, each in subject.parameters.items():
        if each.required:
            continue
        try:
            bind({low: each}, {each.name: each.default})
        except InvalidDefinition as error:
            message = error.message.removeprefix(f"{error.path}: ")
            yield Found(f"$.parameters.{each.name}.defaultValue", f"the default does not fit: {message}")


def unexplained(subject: Declares) -> Iterator[Found]:
    """A parameter has no display name or no description.

    Write both in its `metadata`: they are what people see when they assign the policy.
    """
    for each in subject.parameters.values():
        declared = member(subject.properties.get("parameters"), each.name)
        lacking = [key for key in ("displayName", "description") if not member(declared, "metadata", key)]
        if lacking:
            message = f"the parameter {each.name!r} has no {' and no '.join(lacking)}"
            yield Found(f"$.parameters.{each.name}", message, "explain it in its metadata")


def repeated_choice(subject: Declares) -> Iterator[Found]:
    """An allowed value of a parameter stands there twice; case does not count.

    Remove one of the two.
    """
    for each in subject.parameters.values():
        for at, value in _repeated(each.allowed or ()):
            path = f"$.parameters.{each.name}.allowedValues[{at}]"
            yield Found(path, f"the allowed value {value!r} stands there twice", "remove one")


def _repeated(values: tuple[Json, ...]) -> Iterator[tuple[int, Json]]:
    seen: set[str] = set()
    for at, value in enumerate(values):
        low = text_of(value).lower()
        if low in seen:
            yield at, value
        seen.add(low)


def fixed_choice(subject: Declares) -> Iterator[Found]:
    """A parameter has exactly one allowed value.

    Write the value where it is used, or allow others.
    """
    for each in subject.parameters.values():
        if each.allowed is not None and len(each.allowed) == 1:
            message = f"the parameter {each.name!r} can only be {each.allowed[0]!r}"
            yield Found(f"$.parameters.{each.name}.allowedValues", message, "write the value where it is used")


def secret_default(subject: Declares) -> Iterator[Found]:
    """A parameter named like a secret has a default value.

    Remove the default; keep secrets in a vault and pass a reference to it.
    """
    for each in subject.parameters.values():
        if _is_secret(each):
            message = f"the default of {each.name!r} is readable by everyone who can read the definition"
            yield Found(f"$.parameters.{each.name}.defaultValue", message, "leave secrets out of definitions")


def _is_secret(parameter: Parameter) -> bool:
    named = parameter.name.lower().endswith(("password", "secret", "connectionstring", "accesskey", "sastoken"))
    return named and isinstance(parameter.default, str) and bool(parameter.default.strip())


DECLARED: tuple[Rule[Declares], ...] = (
    Rule("parameter-no-default", Level.NOTE, without_default),
    Rule("parameter-default-unfit", Level.ERROR, unfit_default),
    Rule("parameter-unexplained", Level.NOTE, unexplained),
    Rule("parameter-choice-repeated", Level.NOTE, repeated_choice),
    Rule("parameter-choice-single", Level.NOTE, fixed_choice),
    Rule("parameter-secret", Level.ERROR, secret_default),
)
"""On definitions of policies and of initiatives."""

RULES: tuple[Rule, ...] = (
    Rule("parameter-unused", Level.WARNING, unused),
    Rule("parameter-undeclared", Level.ERROR, undeclared),
    *DECLARED,
)
