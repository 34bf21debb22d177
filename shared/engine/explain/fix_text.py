"""Changes in words: as they are said to people, with the names of members."""

from collections.abc import Sequence
from dataclasses import replace

from shared.domain.resource import Body
from shared.engine.explain.fix import CandidateFix, Fix
from shared.engine.explain.place import member_name
from shared.engine.explain.sentence import and_text, list_text, value_text

_PHRASES = ("a value", "containing", "not containing", "with", "without", "of the form", "not of the form")


def in_words(fix: Fix, candidate: CandidateFix, place: str) -> Fix:
    """Return a change that was tried as people are told it: with its value where the rule names it, else in words."""
    if fix.action == "remove":
        return Fix("remove", fix.path, text=f"remove {place}")
    named = fix.value in candidate.choices
    if fix.action == "add":
        if named:
            return Fix("add", fix.path, fix.value, f"add {value_text(fix.value)} to {place}")
        return Fix("change", fix.path, text=f"add to {place} a member {candidate.words}".rstrip())
    if named:
        rest = f" (or {list_text(fix.alternatives)})" if fix.alternatives else ""
        return replace(fix, text=f"set {place} to {value_text(fix.value)}{rest}")
    return Fix("change", fix.path, text=_open_text(place, candidate.words))


def _open_text(place: str, words: str) -> str:
    if words in {"set", "not empty"}:
        return f"give {place} a value"
    if words.startswith("a value"):
        return f"set {place} to {words}"
    return f"set {place} to a value {words if words.startswith(_PHRASES) else f'that is {words}'}"


def exact_text(fix: Fix, place: str) -> Fix:
    """Return an exact change with its text."""
    match fix.action:
        case "remove":
            text = f"remove {place}"
        case "add":
            text = f"add {value_text(fix.value)} to {place}"
        case _:
            text = f"set {place} to {value_text(fix.value)}"
    return Fix(fix.action, fix.path, fix.value, text)


def created(body: Body, texts: Sequence[str]) -> Fix:
    """Return the creation of a related resource; `texts` say what has to be set in it."""
    kind = str(body["type"])
    named = f" {member_name(body)}" if body.get("name") else ""
    rest = f": {and_text(texts)}" if texts else ""
    return Fix("create", kind, dict(body), f"create {article(kind)} {kind}{named}{rest}")


def article(noun: str) -> str:
    """Return the indefinite article of a noun, by its spelling."""
    return "an" if noun[:1].lower() in "aeiou" else "a"
