"""Lint rules about words: what people read of a policy, and whether it is still in use."""

from collections.abc import Iterator

from shared.authoring.lint.subject import DefinitionSubject, HasTexts, LintFinding, LintRule, member, strings
from shared.domain.lint import LintLevel
from shared.domain.resource import Json

_TEXT_CHARACTERS = {"displayName": 128, "description": 512}
"""Characters. Source: "Azure Policy definition structure basics"."""


def missing(subject: HasTexts) -> Iterator[LintFinding]:
    """Find a missing display name or description.

    Write both: people see them when the policy stops them.
    """
    for key in _TEXT_CHARACTERS:
        if not _text(subject, key):
            yield LintFinding(f"$.{key}", f"there is no {key}", "write one")


def too_long(subject: HasTexts) -> Iterator[LintFinding]:
    """Find a display name of more than 128 characters, or a description of more than 512: Azure refuses it.

    Shorten it. Azure's own definitions may be longer.
    """
    if str(subject.properties.get("policytype")).lower() in {"builtin", "static"}:
        return
    for key, most in _TEXT_CHARACTERS.items():
        if len(_text(subject, key)) > most:
            yield LintFinding(
                f"$.{key}", f"{key} has {len(_text(subject, key))} characters, {most} are allowed", "shorten it"
            )


def missing_metadata(subject: HasTexts) -> Iterator[LintFinding]:
    """Find metadata without a category or a version.

    Add both: portals group by category, and initiatives and upgrades refer to the version.
    """
    for key in ("category", "version"):
        if not subject.metadata.get(key) and not (key == "version" and _text(subject, "version")):
            yield LintFinding("$.metadata", f"the metadata has no {key}", f"add {key}")


def deprecated(subject: HasTexts) -> Iterator[LintFinding]:
    """Find a definition that says it is deprecated.

    Use its successor; `metadata.supersededBy` or the description may name it.
    """
    flag: Json = subject.metadata.get("deprecated")
    if str(flag).lower() == "true" or _text(subject, "displayName").lower().startswith("[deprecated]"):
        by = subject.metadata.get("supersededBy")
        yield LintFinding("$.metadata", "the definition is deprecated", f"use {by}" if by else None)


def identity(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a rule that reads `requestContext().identity`, which exists only while a request is enforced.

    Expect no compliance results: scans leave the policy out.
    """
    for path, text in strings(member(subject.properties.get("policyrule"), "if"), "$.policyRule.if"):
        if "requestcontext().identity" in text.lower().replace(" ", ""):
            yield LintFinding(path, "the identity of the caller is known only while a request is enforced")


def incomplete_expression(subject: DefinitionSubject) -> Iterator[LintFinding]:
    """Find a text that looks like an expression without its brackets.

    Write `[…]` around an expression; write `[[` where the text itself begins with a bracket.
    """
    for path, text in strings(subject.properties.get("policyrule"), "$.policyRule"):
        # A template has expressions of its own, which Resource Manager evaluates.
        inside = ".template." in path.lower()
        if not inside and text.startswith("[") and not text.startswith("[[") and not text.endswith("]"):
            yield LintFinding(
                path, f"{text[:60]!r} begins like an expression and does not end like one", "end it with ]"
            )
        elif not inside and text.lower().startswith("parameters('") and text.endswith("')"):
            yield LintFinding(path, f"{text[:60]!r} is taken for text", f"write [{text[:60]}]")


def _text(subject: HasTexts, key: str) -> str:
    found = subject.properties.get(key.lower())
    return found if isinstance(found, str) else ""


TEXT_RULES: tuple[LintRule[HasTexts], ...] = (
    LintRule("text-missing", LintLevel.WARNING, missing),
    LintRule("text-long", LintLevel.ERROR, too_long),
)
"""On whatever people read."""

METADATA_RULES: tuple[LintRule[HasTexts], ...] = (
    LintRule("metadata-missing", LintLevel.NOTE, missing_metadata),
    LintRule("definition-deprecated", LintLevel.NOTE, deprecated),
)
"""On definitions of policies and of initiatives."""

RULES: tuple[LintRule, ...] = (
    *TEXT_RULES,
    *METADATA_RULES,
    LintRule("request-identity", LintLevel.NOTE, identity),
    LintRule("expression-open", LintLevel.WARNING, incomplete_expression),
)
