"""Interruptions: a process that dies at a write, or something else that happens at one."""

from collections.abc import Callable
from typing import Any, NoReturn

WRITES = frozenset({"put", "create", "put_many", "create_all", "delete"})
"""The methods of `Documents` that change something."""


class Killed(BaseException):
    """The process dies here: nothing below a door may catch it."""


def die(*_given: object, **_more: object) -> NoReturn:
    raise Killed


class InterruptedDocuments:
    """Keeps the `Documents` port over another store; `do` happens before or after its write number `at`."""

    def __init__(self, documents: Any, at: int, do: Callable[[], object] = die, *, after: bool) -> None:
        self._documents, self._at, self._do, self._after, self.writes = documents, at, do, after, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._documents, name)
        return (lambda **given: self._write(method, given)) if name in WRITES else method

    def _write(self, method: Callable[..., Any], given: dict[str, Any]) -> Any:
        self.writes += 1
        at = self.writes == self._at
        if at and not self._after:
            self._do()
        answer = method(**given)
        if at and self._after:
            self._do()
        return answer
