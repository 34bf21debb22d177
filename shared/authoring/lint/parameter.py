"""Lint rules about parameters: declared and used, with defaults that fit and words that explain them."""

from collections.abc import Iterator

from shared.authoring.lint.subject import (
    RULE,
    DefinitionSubject,
    HasParameters,
    LintFinding,
    LintRule,
    called_functions,
    member,
    repeated,
    strings,
    use_nearest,
)
from shared.domain.lint import LintLevel
from shared.engine import InvalidDefinition
from shared.engine.language.expression import Literal
from shared.engine.language.parameter import bind_values
from shared.engine.value import text as text_of


def _uses(subject: DefinitionSubject) -> Iterator[tuple[str, str | None]]:
    """Yield each call of parameters() with its path and the name (None: computed), but for deployment templates."""
    for path, text in strings(subject.properties.get("policyrule"), RULE):
        if ".properties.template." not in path.lower():
            for call in called_functions(text):
                if call.name.lower() == "parameters" and call.arguments:
                    name = call.arguments[0]
                    yield path, str(name.value) if isinstance(name, Literal) else None


def unused(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a parameter that is declared and never used in the rule.

    Remove it, or use it. The parameters of a deployment template are not those of the policy.
    """
    names = {name.lower() if name is not None else None for _, name in _uses(subject)}
    # A computed name may be that of any parameter.
    if None in names or subject.static:
        return
    for low, each in subject.tree.parameters.items():
        if low not in names:
            yield LintFinding(f"$.parameters.{each.name}", f"the parameter {each.name!r} is used nowhere", "remove it")


def undeclared(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a parameter that the rule or its details use and the definition does not declare.

    Declare it under `parameters`, or correct its name.
    """
    names = tuple(each.name for each in subject.tree.parameters.values())
    for path, name in _uses(subject):
        if name is not None and name.lower() not in subject.tree.parameters:
            hint = use_nearest(name, names, f"declare {name!r}")
            yield LintFinding(path, f"the parameter {name!r} is not declared", hint)


def without_default(subject: HasParameters) -> Iterator[LintFinding]:
    """Find a parameter without a default value.

    Give it a `defaultValue`, so that the policy can be evaluated and previewed before it is assigned.
    """
    for low, each in subject.parameters.items():
        if each.required and low != subject.effect_parameter:
            message = f"the parameter {each.name!r} has no default, so nothing is judged before someone assigns a value"
            yield LintFinding(f"$.parameters.{each.name}", message, "add a defaultValue that is safe for most")


def unfit_default(subject: HasParameters) -> Iterator[LintFinding]:
    """Find a default that is not of the parameter's type, or not one of its allowed values.

    Change the default, the type or the allowed values.
    """
    for low, each in subject.parameters.items():
        if each.required:
            continue
        try:
            bind_values({low: each}, {each.name: each.default})
        except InvalidDefinition as error:
            message = error.message.removeprefix(f"{error.path}: ")
            yield LintFinding(f"$.parameters.{each.name}.defaultValue", f"the default does not fit: {message}")


def unexplained(subject: HasParameters) -> Iterator[LintFinding]:
    """Find a parameter without a display name or a description.

    Write both in its `metadata`: people see them when they assign the policy.
    """
    for each in subject.parameters.values():
        declared = member(subject.properties.get("parameters"), each.name)
        lacking = [key for key in ("displayName", "description") if not member(declared, "metadata", key)]
        if lacking:
            message = f"the parameter {each.name!r} has no {' and no '.join(lacking)}"
            yield LintFinding(f"$.parameters.{each.name}", message, "explain it in its metadata")


def repeated_choice(subject: HasParameters) -> Iterator[LintFinding]:
    """Find an allowed value that is listed twice, whatever its case.

    Remove one of the two.
    """
    for each in subject.parameters.values():
        numbered = enumerate(each.allowed or ())
        for at, value in repeated(((at, value), text_of(value).lower()) for at, value in numbered):
            path = f"$.parameters.{each.name}.allowedValues[{at}]"
            yield LintFinding(path, f"the allowed value {value!r} is listed twice", "remove one")


def fixed_choice(subject: HasParameters) -> Iterator[LintFinding]:
    """Find a parameter with exactly one allowed value.

    Write the value where it is used, or allow others.
    """
    for each in subject.parameters.values():
        if each.allowed is not None and len(each.allowed) == 1:
            message = f"the parameter {each.name!r} can only be {each.allowed[0]!r}"
            yield LintFinding(f"$.parameters.{each.name}.allowedValues", message, "write the value where it is used")


def secret_default(subject: HasParameters) -> Iterator[LintFinding]:
    """Find a default value of a parameter that is named like a secret.

    Remove the default; keep the secret in a vault and pass a reference to it.
    """
    for each in subject.parameters.values():
        named = each.name.lower().endswith(("password", "secret", "connectionstring", "accesskey", "sastoken"))
        if named and isinstance(each.default, str) and each.default.strip():
            message = f"the default of {each.name!r} is readable by everyone who can read the definition"
            yield LintFinding(f"$.parameters.{each.name}.defaultValue", message, "leave secrets out of definitions")


DECLARED: tuple[LintRule[HasParameters], ...] = (
    LintRule("parameter-no-default", LintLevel.NOTE, without_default),
    LintRule("parameter-default-unfit", LintLevel.ERROR, unfit_default),
    LintRule("parameter-unexplained", LintLevel.NOTE, unexplained),
    LintRule("parameter-choice-repeated", LintLevel.NOTE, repeated_choice),
    LintRule("parameter-choice-single", LintLevel.NOTE, fixed_choice),
    LintRule("parameter-secret", LintLevel.ERROR, secret_default),
)
"""On definitions of policies and of initiatives."""

RULES: tuple[LintRule, ...] = (
    LintRule("parameter-unused", LintLevel.WARNING, unused),
    LintRule("parameter-undeclared", LintLevel.ERROR, undeclared),
    *DECLARED,
)
