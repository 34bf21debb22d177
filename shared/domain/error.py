"""The errors of the product: one small tree, each message saying what was wrong, where, and what to do.

CortexError
├── InvalidInput       what was sent cannot be used (400, 422); `path` names the offending part
│   └── ItemsRejected  some of many cannot be stored, the others are; `items` has why, by id
├── Unauthenticated    nobody we know (401)
├── Forbidden          known, but not allowed (403)
├── NotFound           no such thing in this tenant (404)
├── Conflict           the thing is not in the state the caller believed (409)
│   ├── Busy           somebody else works on it; `retry_after` in seconds
│   ├── AlreadyExists  create of something that is there
│   ├── Underway       a remediation that has not ended is about it already; `remediation` is its id
│   ├── Requested      the same exemption is pending or in force; `exemption` is its id
│   ├── Locked         a lock forbids the write; waiting does not help
│   ├── Stale          the etag or sequence has moved on
│   └── Overtaken      a later scan has taken over, or this one was stopped
├── TooLarge           more than the bound allows (413)
├── Throttled          the other side asks to wait (429); `retry_after` in seconds
├── Unavailable        the other side does not answer (503); `retry_after` in seconds
│   ├── Unusable       a store of this machine is full, read-only or gone (503); it works again once that is changed
│   ├── Misconfigured  a setting cannot be used (503); it works once that is changed
│   ├── Malformed      the other side answers something other than what it promises (503)
│   └── UnknownEvent   newer code has recorded an event that this code does not know (503)
└── Damaged            what is stored is not what was written (503); trying again does not help, somebody has to fix it
"""

from collections.abc import Mapping


class CortexError(Exception):
    """The root: catch it at a door, never in the middle."""

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class InvalidInput(CortexError, ValueError):
    """The input cannot be used; `path` names the offending part."""


class ItemsRejected(InvalidInput):
    """Some of many cannot be stored, the others are; `items` has why, by id."""

    def __init__(self, items: Mapping[str, CortexError]) -> None:
        first = next(iter(items.values()))
        super().__init__(f"{len(items)} cannot be stored: {first.message}", path=first.path)
        self.items = dict(items)


class Unauthenticated(CortexError):
    """The caller is not authenticated. The message never says which check failed."""


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


class Busy(Conflict):
    """Somebody else works on it; worth trying again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AlreadyExists(Conflict):
    """Create of something that is already there."""


class Underway(Conflict):
    """A remediation that has not ended is about it already; `remediation` is its id."""

    def __init__(self, message: str, *, remediation: str, path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.remediation = remediation


class Requested(Conflict):
    """The same exemption is pending or in force; `exemption` is its id."""

    def __init__(self, message: str, *, exemption: str, path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.exemption = exemption


class Locked(Conflict):
    """A lock forbids the write, and only a person may take it away; `scopes` say where it lies."""

    def __init__(self, message: str, *, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.scopes = scopes


class Stale(Conflict):
    """The etag or the sequence has moved on: read again, decide again."""


class Overtaken(Conflict):
    """A scan that may write no more: a later one has taken over, or it was stopped; `by` is the scan that did it."""

    def __init__(self, message: str, *, by: str) -> None:
        super().__init__(message)
        self.by = by


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


class Malformed(Unavailable):
    """The other side answers something other than what it promises; nothing of the answer is to be used."""

    def __init__(self, message: str, *, retry_after: float = 60.0) -> None:
        super().__init__(message, retry_after=retry_after)


class Unusable(Unavailable):
    """A store of this machine is full, read-only or gone. The message names no folder: anybody may be shown it."""


class Misconfigured(Unavailable):
    """Settings cannot be used. The message names them and what they take, and no value: anybody may be shown it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after=60.0)


class UnknownEvent(Unavailable):
    """A stream holds an event of a type or version that this code does not know, as during a deployment.

    Until code that knows it is deployed, nothing after it is projected and nothing is decided.
    """

    def __init__(self, stream: str, sequence: int, type: str, version: int) -> None:
        unknown = (
            f"event {sequence} of {stream} is a {type[:100]!r} of version {version}, which this code does not know"
        )
        super().__init__(f"{unknown}: deploy the version that recorded it", retry_after=60.0)
        self.stream, self.sequence, self.type, self.version = stream, sequence, type, version


class Damaged(CortexError):
    """Stored data is not what was written, or not ours: it is neither used nor replaced until it is fixed.

    The message names no folder, so that it may be shown to anybody; `place` is the whole path, for whoever fixes it.
    """

    def __init__(self, message: str, *, place: str | None = None) -> None:
        super().__init__(message)
        self.place = place
        self.retry_after = 60.0
