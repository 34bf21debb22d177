"""What can go wrong in the engine: a definition that cannot be used, and an evaluation that fails."""

from difflib import get_close_matches

from shared.domain.error import Conflict, InvalidInput

Where = str


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
        """Pickle by parts: the message is built from them."""
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


def nearest(word: str, known: "list[str] | tuple[str, ...]") -> str | None:
    """The known word that is nearest to `word`, in its own spelling."""
    spelling = {each.lower(): each for each in known}
    found = get_close_matches(word.lower()[:100], list(spelling), n=1, cutoff=0.7)
    return spelling[found[0]] if found else None
