"""Administration of the sandbox: faults, drift, tokens, the log of writes, counts."""

import re
from collections.abc import Callable
from datetime import timedelta

from pydantic import ValidationError

from local.cloud import token
from local.cloud.cloud import Cloud
from local.cloud.drift import drift
from local.cloud.error import ArmError, bad_request
from local.cloud.message import Answer, Request, answer

_MOST_STEPS = 10_000


def handle(cloud: Cloud, request: Request) -> Answer:
    """The answer to a request under /admin/."""
    for method, pattern, handler in _ROUTES:
        if request.method == method and (found := pattern.fullmatch(request.path)):
            return handler(cloud, request, *found.groups())
    raise ArmError(404, "NotFound", f"{request.method} {request.path} is not a route of the sandbox.")


def health(cloud: Cloud) -> Answer:
    """That the cloud is up, and which estate it holds."""
    names = ("seed", "count", "step")
    return answer({"status": "ok", **{name: int(cloud.store.fact(name) or 0) for name in names}})


def counts(cloud: Cloud) -> Answer:
    """How many resources there are, by Resource Graph table and by type."""
    found = cloud.store.query("SELECT coalesce(graph, ''), type, count(*) FROM resource GROUP BY 1, 2 ORDER BY 1, 2")
    tables: dict[str, int] = {}
    for table, _, number in found:
        tables[table or "other"] = tables.get(table or "other", 0) + number
    return answer({"tables": tables, "types": {kind: number for _, kind, number in found}})


def list_faults(cloud: Cloud) -> Answer:
    """All faults that are armed."""
    return answer({"value": cloud.faults.records()})


def add_fault(cloud: Cloud, request: Request) -> Answer:
    """Arm a fault."""
    try:
        name = cloud.faults.add(**request.document())
    except (ValidationError, ValueError, TypeError) as error:
        raise bad_request("InvalidFault", f"This is not a fault: {error}") from error
    return answer(next(each for each in cloud.faults.records() if each["id"] == name), 201)


def remove_fault(cloud: Cloud, name: str) -> Answer:
    """Disarm a fault."""
    if not cloud.faults.remove(name):
        raise ArmError(404, "NotFound", f"There is no fault '{name}'.")
    return Answer(204)


def clear_faults(cloud: Cloud) -> Answer:
    """Disarm all faults."""
    cloud.faults.clear()
    return Answer(204)


def add_drift(cloud: Cloud, request: Request) -> Answer:
    """Let steps of time pass."""
    steps = _whole(request.document().get("steps", 1), "steps", _MOST_STEPS)
    step, changed = drift(cloud, steps)
    return answer({"step": step, "changed": changed})


def writes(cloud: Cloud, request: Request) -> Answer:
    """The log of writes after a sequence number."""
    after = _whole(request.query.get("after", 0), "after", 1 << 62)
    return answer({"value": cloud.store.writes(after, _whole(request.query.get("top", 1000), "top", 10_000))})


def new_token(cloud: Cloud, request: Request) -> Answer:
    """A token that lasts `expiresIn` seconds."""
    seconds = request.document().get("expiresIn", 3600)
    if not isinstance(seconds, int | float) or abs(seconds) > token.LONG:
        raise bad_request("InvalidRequestContent", "'expiresIn' must be a number of seconds.")
    ends = cloud.clock() + timedelta(seconds=seconds)
    return answer({"access_token": token.issue(cloud.secret, ends), "expires_on": int(ends.timestamp())}, 201)


def _whole(value: object, name: str, most: int) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise bad_request("InvalidRequestContent", f"'{name}' must be a whole number up to {most}.")
    return int(text)


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Answer]], ...] = (
    ("GET", re.compile("/admin/counts"), lambda cloud, _: counts(cloud)),
    ("GET", re.compile("/admin/faults"), lambda cloud, _: list_faults(cloud)),
    ("POST", re.compile("/admin/faults"), add_fault),
    ("DELETE", re.compile("/admin/faults"), lambda cloud, _: clear_faults(cloud)),
    ("DELETE", re.compile("/admin/faults/([^/]+)"), lambda cloud, _, name: remove_fault(cloud, name)),
    ("POST", re.compile("/admin/drift"), add_drift),
    ("GET", re.compile("/admin/writes"), writes),
    ("POST", re.compile("/admin/tokens"), new_token),
)
