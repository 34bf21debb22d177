"""Faults on demand: what goes wrong, for which requests, how often."""

import random
import re
import threading
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from local.cloud.address import parse
from local.cloud.error import ArmError
from local.cloud.message import Request
from shared.domain.model import Model
from shared.domain.resource import Json

GRAPH = "/providers/microsoft.resourcegraph/resources"


class Kind(StrEnum):
    """What a fault does."""

    THROTTLED = "throttled"
    """429 with Retry-After."""
    UNAVAILABLE = "unavailable"
    """503, or the `status` given."""
    FORBIDDEN = "forbidden"
    """403 AuthorizationFailed. Resource Graph leaves the rows concerned out, however probable the fault is; one with
    a method or path does not concern it."""
    SLOW = "slow"
    """The answer comes `delay` seconds later."""
    DROPPED = "dropped"
    """The connection is closed before the request is looked at."""
    CUT = "cut"
    """The connection is closed in the middle of the answer's body."""
    GARBLED = "garbled"
    """The body ends in the middle, although the answer claims to be whole."""
    PARTIAL_PAGE = "partialPage"
    """A page holds `keep` of its rows and claims all of them."""
    TOO_LARGE = "tooLarge"
    """Pages of more than `rows` rows are refused with ResponsePayloadTooLarge."""
    EXPIRED = "expired"
    """401 as for a token that has ended."""
    LOST_WRITE = "lostWrite"
    """The write is answered as done, and is not done."""
    LOST_ANSWER = "lostAnswer"
    """The write is done, and the connection is closed instead of an answer."""


def _pattern(text: str) -> str:
    """A text that is a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from error
    return text


class Fault(Model):
    """A kind of fault and the requests it meets: all that are given must match; texts match in any case.

    `path` is a regular expression searched in the path, `provider` and `type` are compared with the type in the path,
    `scope` is an id that the path begins with. Of the requests that match, `probability` (decided by `seed`) are met,
    after the first `skip`, at most `times`.
    """

    kind: Kind
    method: str = ""
    path: Annotated[str, AfterValidator(_pattern)] = ""
    provider: str = ""
    type: str = ""
    scope: str = ""
    probability: float = Field(default=1.0, ge=0, le=1)
    seed: int = 0
    skip: int = Field(default=0, ge=0)
    times: int | None = Field(default=None, ge=0)
    retry_after: float = Field(default=1.0, ge=0)
    delay: float = Field(default=0.1, ge=0)
    status: int = Field(default=503, ge=400, le=599)
    rows: int = Field(default=100, ge=0)
    keep: float = Field(default=0.5, ge=0, le=1)

    def matches(self, request: Request, resource_type: str) -> bool:
        """Whether a request for a type (lower case) is one of those meant."""
        path = request.path.lower()
        wanted = resource_type.partition("/")[0]
        return (
            (not self.method or request.method == self.method.upper())
            and (not self.path or re.search(self.path, request.path, re.IGNORECASE) is not None)
            and (not self.provider or wanted == self.provider.lower())
            and (not self.type or resource_type == self.type.lower())
            and (not self.scope or _under(path, self.scope.lower().rstrip("/")))
        )


class _Armed:
    """A fault with its counts and its chance."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.id = str(number)
        self.fault = fault
        self.seen = 0
        self.met = 0
        self._chance = random.Random(fault.seed)

    def meets(self, request: Request, resource_type: str) -> bool:
        """Whether it strikes now."""
        if not self.fault.matches(request, resource_type):
            return False
        self.seen += 1
        spent = self.fault.times is not None and self.met >= self.fault.times
        if spent or self.seen <= self.fault.skip or self._chance.random() >= self.fault.probability:
            return False
        self.met += 1
        return True

    def record(self) -> dict[str, Json]:
        """The fault with its counts."""
        return {"id": self.id, "seen": self.seen, "met": self.met, **self.fault.model_dump(mode="json")}


class Faults:
    """The faults that are armed. Safe for threads: tests add them while the cloud serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._next = 1

    def add(self, kind: Kind | str, **match: Json) -> str:
        """Arm a fault; its id. The names are those of `Fault`."""
        with self._lock:
            armed = _Armed(self._next, Fault(kind=Kind(kind), **match))
            self._next += 1
            self._armed.append(armed)
            return armed.id

    def remove(self, fault_id: str) -> bool:
        """Disarm a fault; whether it was there."""
        with self._lock:
            left = [armed for armed in self._armed if armed.id != fault_id]
            found = len(left) < len(self._armed)
            self._armed = left
            return found

    def clear(self) -> None:
        """Disarm all."""
        with self._lock:
            self._armed = []

    def records(self) -> list[dict[str, Json]]:
        """All that are armed, with how many requests they saw and met."""
        with self._lock:
            return [armed.record() for armed in self._armed]

    def meeting(self, request: Request) -> list[Fault]:
        """The faults that strike a request, in the order they were added."""
        with self._lock:
            if not self._armed:
                return []
            wanted = _type_of(request.path)
            graph = request.path.lower() == GRAPH
            return [
                armed.fault
                for armed in self._armed
                if not (graph and armed.fault.kind == Kind.FORBIDDEN) and armed.meets(request, wanted)
            ]

    def hidden(self) -> list[Fault]:
        """What Resource Graph must not show."""
        with self._lock:
            faults = [armed.fault for armed in self._armed]
        return [each for each in faults if each.kind == Kind.FORBIDDEN and not each.path and not each.method]


def _under(path: str, scope: str) -> bool:
    return path == scope or path.startswith(scope + "/")


def _type_of(path: str) -> str:
    try:
        return parse(path).type.lower()
    except ArmError:
        return ""
