"""Faults on demand: what goes wrong, for which requests, how often."""

import random
import re
import threading
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from local.cloud.arm.address import parse
from local.cloud.arm.error import ArmError
from local.cloud.arm.http import ArmRequest
from shared.domain.model import Model
from shared.domain.resource import Json

GRAPH_PATH = "/providers/microsoft.resourcegraph/resources"


class FaultKind(StrEnum):
    """What a fault does."""

    THROTTLED = "throttled"
    """429 with Retry-After."""
    UNAVAILABLE = "unavailable"
    """503, or the `status` given."""
    FORBIDDEN = "forbidden"
    """403 AuthorizationFailed. Resource Graph leaves out the rows concerned instead, whatever the probability; a fault
    with a method or path does not apply to it."""
    SLOW = "slow"
    """The response comes `delay` seconds later."""
    DROPPED = "dropped"
    """The connection is closed before the request is processed."""
    CUT = "cut"
    """The connection is closed in the middle of the response's body."""
    GARBLED = "garbled"
    """The body ends in the middle, although Content-Length says it is whole."""
    PARTIAL_PAGE = "partialPage"
    """A page holds `keep` of its rows and claims all of them."""
    SHORTENED = "shortened"
    """A list holds `keep` of its rows and hides the rest: no count includes it and no link leads to it."""
    EMPTIED = "emptied"
    """The body is an empty object."""
    PROXY_PAGE = "html"
    """The body is an HTML page, with the status of the response it replaces."""
    TOO_LARGE = "tooLarge"
    """Pages of more than `rows` rows are refused with ResponsePayloadTooLarge."""
    EXPIRED = "expired"
    """401, as for a token that has expired."""
    LOST_WRITE = "lostWrite"
    """The write is reported as done, and is not done."""
    LOST_RESPONSE = "lostResponse"
    """The write is done, and the connection is closed instead of a response."""


def _pattern(text: str) -> str:
    """Check that a text is a regular expression; ValueError when it is not."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression: {error}") from error
    return text


class Fault(Model):
    """A kind of fault and the requests it applies to: all fields given must match, texts in any case.

    `path` is a regular expression searched in the path, `provider` and `type` are compared with the type in the path,
    `scope` is an id that the path begins with. Of the requests that match, the share `probability` (decided by `seed`)
    gets the fault, after the first `skip`, at most `times`.
    """

    kind: FaultKind
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

    def matches(self, request: ArmRequest, resource_type: str) -> bool:
        """Return whether a request for a type (lower case) matches."""
        path = request.path.lower()
        wanted = resource_type.partition("/")[0]
        return (
            (not self.method or request.method == self.method.upper())
            and (not self.path or re.search(self.path, request.path, re.IGNORECASE) is not None)
            and (not self.provider or wanted == self.provider.lower())
            and (not self.type or resource_type == self.type.lower())
            and (not self.scope or f"{path}/".startswith(self.scope.lower().rstrip("/") + "/"))
        )


MatchedFaults = Mapping[FaultKind, Fault]
"""The faults that apply to one request."""


class _ActiveFault:
    """A fault with its counts and its random numbers."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.id = str(number)
        self.fault = fault
        self.matched = 0
        self.injected = 0
        # Of its own, so that which requests are hit does not depend on other faults.
        self._random = random.Random(fault.seed)

    def injects(self, request: ArmRequest, resource_type: str) -> bool:
        """Count the request. Return whether it gets the fault."""
        if not self.fault.matches(request, resource_type):
            return False
        self.matched += 1
        spent = self.fault.times is not None and self.injected >= self.fault.times
        if spent or self.matched <= self.fault.skip or self._random.random() >= self.fault.probability:
            return False
        self.injected += 1
        return True

    def record(self) -> dict[str, Json]:
        """Return the fault with its counts."""
        return {"id": self.id, "matched": self.matched, "injected": self.injected, **self.fault.model_dump(mode="json")}


class Faults:
    """The faults that are active. Safe for threads: tests add them while the cloud serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_ActiveFault] = []
        self._next = 1

    def add(self, kind: FaultKind | str, **match: Json) -> str:
        """Activate a fault and return its id. `match` has the fields of `Fault`."""
        with self._lock:
            active = _ActiveFault(self._next, Fault(kind=FaultKind(kind), **match))
            self._next += 1
            self._active.append(active)
            return active.id

    def remove(self, fault_id: str) -> bool:
        """Remove a fault. Return whether there was one."""
        with self._lock:
            left = [active for active in self._active if active.id != fault_id]
            found = len(left) < len(self._active)
            self._active = left
            return found

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._active = []

    def records(self) -> list[dict[str, Json]]:
        """Return all active faults, with how many requests matched and how many got the fault."""
        with self._lock:
            return [active.record() for active in self._active]

    def matching(self, request: ArmRequest) -> list[Fault]:
        """Return the faults that a request gets, in the order they were added."""
        with self._lock:
            if not self._active:
                return []
            try:
                wanted = parse(request.path).type.lower()
            except ArmError:
                wanted = ""  # not the path of a resource: faults of a type do not apply
            graph = request.path.lower() == GRAPH_PATH
            return [
                active.fault
                for active in self._active
                if not (graph and active.fault.kind == FaultKind.FORBIDDEN) and active.injects(request, wanted)
            ]

    def hidden(self) -> list[Fault]:
        """Return the faults that forbid rows of Resource Graph."""
        with self._lock:
            faults = [active.fault for active in self._active]
        return [each for each in faults if each.kind == FaultKind.FORBIDDEN and not each.path and not each.method]
