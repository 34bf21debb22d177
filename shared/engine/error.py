"""What can go wrong in the engine: a definition that cannot be used, and an evaluation that fails."""

from collections.abc import Iterable
from difflib import get_close_matches

from shared.domain.error import Conflict, InvalidInput

_SHORT_WORD = 10
_SPREAD = 3


class InvalidDefinition(InvalidInput):
    """A definition, rule or expression that the language does not allow.

    `path` is the JSON path of the offending part ("$.policyRule.if.allOf[1].equal"), `offending` its text,
    `suggestion` what was probably meant, if anything is near.
    """

    def __init__(self, message: str, *, path: str, offending: str = "", suggestion: str | None = None) -> None:
        self.offending = offending[:200]
        self.suggestion = suggestion
        hint = f"; did you mean {suggestion!r}?" if suggestion else ""
        super().__init__(f"{path}: {message}{hint}", path=path)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by parts, of which the message is built."""
        return (_invalid, (self.message, self.path, self.offending, self.suggestion))


def _invalid(message: str, path: str, offending: str, suggestion: str | None) -> InvalidDefinition:
    error = InvalidDefinition("", path=path, offending=offending)
    error.message, error.suggestion, error.args = message, suggestion, (message,)
    return error


class EvaluationError(Exception):
    """An evaluation that fails (types that cannot be compared, a substring out of range): a state of its own.

    It never leaves a batch: `judge` turns it into a verdict with state `error`.
    """


class EffectConflict(Conflict):
    """An append or modify operation met a value that it may not replace; enforcement would deny the request."""


class NotSupported(InvalidInput):
    """A deployment template uses something that cannot be computed without the cloud; `path` says where."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest to `word`, in its own spelling; None where none is near."""
    spelling = {each.lower(): each for each in known}
    # Two letters in eight may differ, and as few in a longer word: what only shares a part with it is another word.
    cutoff = 0.7 if len(word) <= _SHORT_WORD else 0.8
    # A word that has a whole other one in it is no misspelling of that.
    spread = max(_SPREAD, len(word) // 6)
    alike = [each for each in spelling if abs(len(each) - len(word)) <= spread]
    found = get_close_matches(word.lower()[:100], alike, n=1, cutoff=cutoff)
    return spelling[found[0]] if found else None


def unknown_word(what: str, word: str, known: Iterable[str], *, path: str) -> InvalidDefinition:
    """Return the error for a word that is none of the known ones, with the nearest of them as the suggestion."""
    return InvalidDefinition(
        f"unknown {what} {word[:60]!r}", path=path, offending=word, suggestion=nearest(word, known)
    )
