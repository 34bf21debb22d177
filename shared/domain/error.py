"""The errors of the product: one small tree, each message saying what was wrong, where, and what to do.

CortexError
├── InvalidInput       what was sent cannot be used (400, 422); `path` names the offending part
├── Unauthenticated    nobody we know (401)
├── Forbidden          known, but not allowed (403)
├── NotFound           no such thing in this tenant (404)
├── Conflict           the thing is not in the state the caller believed (409)
│   ├── AlreadyExists  create of something that is there
│   └── Stale          the etag or sequence has moved on (412)
├── TooLarge           more than the bound allows (413)
├── Throttled          the other side asks to wait (429); `retry_after` in seconds
└── Unavailable        the other side does not answer (503); `retry_after` in seconds
"""


class CortexError(Exception):
    """The root: catch it at a door, never in the middle."""

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class InvalidInput(CortexError, ValueError):
    """What was sent cannot be used; `path` names the offending part."""


class Unauthenticated(CortexError):
    """Nobody we know. The message never says which check failed."""


class Forbidden(CortexError, PermissionError):
    """Known, but not allowed; `permission` and `scope` say what would be needed."""

    def __init__(self, message: str, *, permission: str | None = None, scope: str | None = None) -> None:
        super().__init__(message)
        self.permission = permission
        self.scope = scope


class NotFound(CortexError, LookupError):
    """No such thing in this tenant."""


class Conflict(CortexError):
    """The thing is not in the state the caller believed."""


class AlreadyExists(Conflict):
    """Create of something that is already there."""


class Stale(Conflict):
    """The etag or the sequence has moved on: read again, decide again."""


class TooLarge(CortexError):
    """More than the bound allows."""


class Throttled(CortexError):
    """The other side asks to wait `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(CortexError):
    """The other side does not answer; worth trying again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
