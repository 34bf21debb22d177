"""Lint rules about words: what people read of a policy, and whether it is still in use."""

from collections.abc import Iterator

from shared.domain.lint import Level
from shared.domain.resource import Json
from shared.services.lint.subject import Found, Rule, Subject, Worded, member, strings

_LONGEST = {"displayName": 128, "description": 512}
"""Characters. Source: "Azure Policy definition structure basics"."""


def missing(subject: Worded) -> Iterator[Found]:
    """There is no display name or no description.

    Write both: they are what people see when the policy stops them.
    """
    for key in _LONGEST:
        if not _text(subject, key):
            yield Found(f"$.{key}", f"there is no {key}", "write one")


def too_long(subject: Worded) -> Iterator[Found]:
    """The display name has more than 128 characters, or the description more than 512: Azure refuses it.

    Shorten it.
    """
    for key, most in _LONGEST.items():
        if len(_text(subject, key)) > most:
            yield Found(
                f"$.{key}", f"{key} has {len(_text(subject, key))} characters, {most} are allowed", "shorten it"
            )


def unsorted(subject: Worded) -> Iterator[Found]:
    """The metadata has no category or no version.

    Give both: portals group by the category, initiatives and upgrades go by the version.
    """
    for key in ("category", "version"):
        if not subject.metadata.get(key) and not (key == "version" and _text(subject, "version")):
            yield Found("$.metadata", f"the metadata has no {key}", f"add {key}")


def deprecated(subject: Worded) -> Iterator[Found]:
    """The definition says of itself that it is deprecated.

    Use its successor; `metadata.supersededBy` or the description may name it.
    """
    told: Json = subject.metadata.get("deprecated")
    if str(told).lower() == "true" or _text(subject, "displayName").lower().startswith("[deprecated]"):
        by = subject.metadata.get("supersededBy")
        yield Found("$.metadata", "the definition is deprecated", f"use {by}" if by else None)


def identity(subject: Subject) -> Iterator[Found]:
    """The rule reads `requestContext().identity`, which exists only while a request is enforced.

    Expect no compliance results: scans leave the policy out.
    """
    for path, text in strings(member(subject.properties.get("policyrule"), "if"), "$.policyRule.if"):
        if "requestcontext().identity" in text.lower().replace(" ", ""):
            yield Found(path, "the identity of the caller is known only while a request is enforced")


def half_expression(subject: Subject) -> Iterator[Found]:
    """A text looks like an expression that lacks its bracket.

    Write `[…]` around an expression; write `[[` where the text really begins with a bracket.
    """
    for path, text in strings(subject.properties.get("policyrule"), "$.policyRule"):
        inside = ".template." in path.lower()
        if not inside and text.startswith("[") and not text.startswith("[[") and not text.endswith("]"):
            yield Found(path, f"{text[:60]!r} begins like an expression and does not end like one", "end it with ]")
        elif not inside and text.lower().startswith("parameters('") and text.endswith("')"):
            yield Found(path, f"{text[:60]!r} is taken for text", f"write [{text[:60]}]")


def _text(subject: Worded, key: str) -> str:
    found = subject.properties.get(key.lower())
    return found if isinstance(found, str) else ""


TEXTS: tuple[Rule[Worded], ...] = (
    Rule("words-missing", Level.WARNING, missing),
    Rule("words-long", Level.ERROR, too_long),
)
"""On whatever people read."""

RECORDS: tuple[Rule[Worded], ...] = (
    Rule("metadata-missing", Level.NOTE, unsorted),
    Rule("definition-deprecated", Level.WARNING, deprecated),
)
"""On definitions of policies and of initiatives."""

RULES: tuple[Rule, ...] = (
    *TEXTS,
    *RECORDS,
    Rule("request-identity", Level.NOTE, identity),
    Rule("expression-open", Level.WARNING, half_expression),
)
