"""The state of the account in front of the stand-in: its budget, its sessions, its clock, its faults."""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.fakes.cosmos.exchange import THROTTLED, Answer, Asked, charge, rejection

Matches = Callable[[Asked], bool]


@dataclass
class Fault:
    """Answers the next `times` requests that match in place of the service; `late`: after it has done them."""

    answer: Answer
    times: int = 1
    matches: Matches = lambda asked: bool(asked.operation)
    late: bool = False


@dataclass
class _Written:
    """The last write to an item: its number, what a read answered before it, and how often that is still answered."""

    number: int
    before: Answer
    left: int


@dataclass
class Account:
    """Answers requests as Cosmos DB does, through `send`, which asks the stand-in.

    `throughput` is the provisioned request units a second, None for any number. `lag` is how many reads of another
    session after a write see what was before. `asked` has the time and operation of each request about items.
    """

    send: Callable[[Asked], Answer]
    throughput: float | None = None
    lag: int = 0
    faults: list[Fault] = field(default_factory=list)
    now: Callable[[], float] = time.monotonic
    asked: list[tuple[float, str]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _number: int = 0
    _units: float = 0.0
    _paid_at: float = -math.inf  # so the bucket is full at first, whatever the clock shows
    _written: dict[tuple[str, str, str], _Written] = field(default_factory=dict)
    _default_ttl: dict[str, int] = field(default_factory=dict)
    _expires: dict[tuple[str, str, str], tuple[float, Asked]] = field(default_factory=dict)

    def handle(self, asked: Asked) -> Answer:
        """The answer to a request, one request at a time."""
        with self._lock:
            if asked.operation:
                self.asked.append((self.now(), asked.operation))
            fault = self._fault(asked)
            if fault and not fault.late:
                return fault.answer
            self._expire()
            answer = self._throttled() if asked.operation else None
            answer = answer or rejection(asked) or self._stale(asked) or self._done(asked)
            return fault.answer if fault else self._signed(asked, answer)

    def reset(self) -> None:
        """No limit, no fault, the clock of the machine."""
        with self._lock:
            self.throughput, self.lag, self.now = None, 0, time.monotonic
            self._units, self._paid_at = 0.0, -math.inf
            self.faults.clear()
            self.asked.clear()
            self._written.clear()

    def _fault(self, asked: Asked) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.matches(asked):
                fault.times -= 1
                return fault
        return None

    def _throttled(self) -> Answer | None:
        """Nothing is done while more was spent than a second has; what is begun is charged when it is known."""
        if self.throughput is None:
            return None
        at = self.now()
        self._units = min(self.throughput, self._units + (at - self._paid_at) * self.throughput)
        self._paid_at = at
        if self._units > 0:
            return None
        wait = max(1, round(1000 * -self._units / self.throughput) + 1)
        return Answer.error(429, "Request rate is large.", sub_status=THROTTLED, x_ms_retry_after_ms=str(wait))

    def _stale(self, asked: Asked) -> Answer | None:
        if asked.operation != "read":
            return None
        known = self._written.get(_place(asked))
        if known is None or not known.left or _session(asked) >= known.number:
            return None
        known.left -= 1
        behind = {"x-ms-session-token": f"0:-1#{known.number - 1}"}
        return Answer(known.before.status, known.before.body, {**known.before.headers, **behind})

    def _done(self, asked: Asked) -> Answer:
        """What the stand-in answers, its gaps filled."""
        sent = _both_ways(asked)
        before = {each: self._read(asked.at(each)) for each in asked.written()} if self.lag else {}
        answer = self._read(sent) if asked.operation == "read" else self.send(sent)
        if asked.operation == "batch":
            answer = self._whole(asked, answer)
        if asked.writes and answer.status < 400:
            self._number += 1
            for identity, seen in before.items():
                self._written[_place(asked.at(identity))] = _Written(self._number, seen, self.lag)
            self._live(asked)
        if asked.path.rstrip("/").endswith("/colls") and asked.method == "POST":
            self._remember(asked)
        return answer

    def _read(self, asked: Asked) -> Answer:
        answer = self.send(asked)
        # The stand-in answers 500 for an item that is not there.
        return Answer.error(404, "Entity with the specified id does not exist.") if answer.status == 500 else answer

    def _whole(self, asked: Asked, answer: Answer) -> Answer:
        """The answer to a batch; of one that failed in the middle, what was done is undone."""
        results: list[dict[str, Any]] = answer.json() if answer.status < 400 else []
        failed = next((each for each in results if each["statusCode"] >= 400), None)
        if failed is None:
            return answer
        for operation, result in zip(asked.operations, results, strict=True):
            if result["statusCode"] == 201:
                made = asked.at(operation["resourceBody"]["id"])
                self.send(Asked("DELETE", made.path, made.headers))
        responses = [each if each is failed else {"statusCode": 424, "requestCharge": 0} for each in results]
        return Answer(207, json.dumps(responses).encode(), {"content-type": "application/json"})

    def _remember(self, asked: Asked) -> None:
        body = json.loads(asked.body)
        if body.get("defaultTtl") is not None:
            self._default_ttl[f"{asked.path.strip('/')}/{body['id']}"] = body["defaultTtl"]

    def _live(self, asked: Asked) -> None:
        """Note until when the items written live, where the container has it that they end."""
        default = self._default_ttl.get(asked.collection())
        if default is None or asked.operation not in {"create", "upsert", "replace"}:
            return
        seconds = asked.item.get("ttl", default)
        place = asked.at(str(asked.item["id"]))
        self._expires.pop(_place(place), None)
        if seconds > 0:
            self._expires[_place(place)] = (self.now() + seconds, place)

    def _expire(self) -> None:
        for name, (at, place) in list(self._expires.items()):
            if at <= self.now():
                del self._expires[name]
                self.send(Asked("DELETE", place.path, place.headers))

    def _signed(self, asked: Asked, answer: Answer) -> Answer:
        """The answer with what it cost and how far the session is."""
        if not asked.operation:
            return answer
        cost = charge(asked, answer) if answer.status != 429 else 0.4
        if self.throughput is not None:
            self._units -= cost
        headers = {
            "x-ms-session-token": f"0:-1#{self._number}",
            "x-ms-alt-content-path": asked.collection(),
            "x-ms-documentdb-partitionkeyrangeid": "0",
        }
        return Answer(answer.status, answer.body, {**headers, **answer.headers, "x-ms-request-charge": f"{cost:.2f}"})


def _place(asked: Asked) -> tuple[str, str, str]:
    return asked.collection(), asked.key, unquote(asked.path.rstrip("/").rpartition("/")[2])


def _session(asked: Asked) -> int:
    """The number of the last write that the caller's session has seen; 0 without a session."""
    token = asked.headers.get("x-ms-session-token", "").rpartition("#")[2]
    return int(token) if token.isdigit() else 0


def _both_ways(asked: Asked) -> Asked:
    """The request; one that makes a container names each composite index in both directions."""
    if not asked.path.rstrip("/").endswith("/colls") or asked.method != "POST":
        return asked
    body = json.loads(asked.body)
    indexes: list[list[Mapping[str, str]]] = body.get("indexingPolicy", {}).get("compositeIndexes", [])
    turned = [[{**part, "order": _TURNED[part["order"]]} for part in index] for index in indexes]
    if indexes:
        body["indexingPolicy"]["compositeIndexes"] = indexes + turned
    return Asked(asked.method, asked.path, asked.headers, json.dumps(body).encode())


_TURNED = {"ascending": "descending", "descending": "ascending"}
