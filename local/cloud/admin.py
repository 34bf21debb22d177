"""Administration of the sandbox: faults, drift, tokens, the log of writes, counts."""

import re
from collections.abc import Callable
from datetime import timedelta

from pydantic import ValidationError

from local.cloud import token
from local.cloud.arm.error import ArmError, bad_request
from local.cloud.arm.http import ArmRequest, ArmResponse, json_response
from local.cloud.cloud import Cloud
from local.cloud.drift import apply_drift

_DRIFT_STEPS = 10_000


def handle_admin(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return the response to a request under /admin/."""
    for method, pattern, handler in _ROUTES:
        if request.method == method and (found := pattern.fullmatch(request.path)):
            return handler(cloud, request, *found.groups())
    raise ArmError(404, "NotFound", f"{request.method} {request.path} is not a route of the sandbox.")


def health(cloud: Cloud) -> ArmResponse:
    """Report that the cloud is up, and which estate it holds."""
    names = ("seed", "count", "step")
    return json_response({"status": "ok", **{name: int(cloud.store.fact(name) or 0) for name in names}})


def counts(cloud: Cloud) -> ArmResponse:
    """Return how many resources there are, by Resource Graph table and by type."""
    found = cloud.store.query("SELECT coalesce(graph, ''), type, count(*) FROM resource GROUP BY 1, 2 ORDER BY 1, 2")
    tables: dict[str, int] = {}
    for table, _, number in found:
        tables[table or "other"] = tables.get(table or "other", 0) + number
    return json_response({"tables": tables, "types": {kind: number for _, kind, number in found}})


def list_faults(cloud: Cloud) -> ArmResponse:
    """Return all active faults."""
    return json_response({"value": cloud.faults.records()})


def add_fault(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Activate a fault."""
    try:
        name = cloud.faults.add(**request.document())
    except (ValidationError, ValueError, TypeError) as error:
        raise bad_request("InvalidFault", f"This is not a fault: {error}") from error
    return json_response(next(each for each in cloud.faults.records() if each["id"] == name), 201)


def remove_fault(cloud: Cloud, name: str) -> ArmResponse:
    """Remove a fault."""
    if not cloud.faults.remove(name):
        raise ArmError(404, "NotFound", f"There is no fault '{name}'.")
    return ArmResponse(204)


def clear_faults(cloud: Cloud) -> ArmResponse:
    """Remove all faults."""
    cloud.faults.clear()
    return ArmResponse(204)


def add_drift(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Apply the drift of some steps of time."""
    steps = _whole_number(request.document().get("steps", 1), "steps", _DRIFT_STEPS)
    step, changed = apply_drift(cloud, steps)
    return json_response({"step": step, "changed": changed})


def writes(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return the log of writes after a sequence number."""
    after = _whole_number(request.query.get("after", 0), "after", 1 << 62)
    return json_response(
        {"value": cloud.store.writes(after, _whole_number(request.query.get("top", 1000), "top", 10_000))}
    )


def new_token(cloud: Cloud, request: ArmRequest) -> ArmResponse:
    """Return a token that lasts `expiresIn` seconds, of the `principal` with this object id."""
    document = request.document()
    seconds, principal = document.get("expiresIn", 3600), document.get("principal", token.PRINCIPAL)
    if not isinstance(seconds, int | float) or abs(seconds) > token.TOKEN_SECONDS:
        raise bad_request("InvalidRequestContent", "'expiresIn' must be a number of seconds.")
    if not isinstance(principal, str):
        raise bad_request("InvalidRequestContent", "'principal' must be a text.")
    ends = cloud.clock() + timedelta(seconds=seconds)
    issued = token.issue_token(cloud.secret, ends, principal)
    return json_response({"access_token": issued, "expires_on": int(ends.timestamp())}, 201)


def _whole_number(value: object, name: str, most: int) -> int:
    text = str(value)
    # isdigit alone accepts digits that int() rejects, such as superscripts.
    if not text.isascii() or not text.isdigit() or int(text) > most:
        raise bad_request("InvalidRequestContent", f"'{name}' must be a whole number up to {most}.")
    return int(text)


_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., ArmResponse]], ...] = (
    ("GET", re.compile("/admin/counts"), lambda cloud, _: counts(cloud)),
    ("GET", re.compile("/admin/faults"), lambda cloud, _: list_faults(cloud)),
    ("POST", re.compile("/admin/faults"), add_fault),
    ("DELETE", re.compile("/admin/faults"), lambda cloud, _: clear_faults(cloud)),
    ("DELETE", re.compile("/admin/faults/([^/]+)"), lambda cloud, _, name: remove_fault(cloud, name)),
    ("POST", re.compile("/admin/drift"), add_drift),
    ("GET", re.compile("/admin/writes"), writes),
    ("POST", re.compile("/admin/tokens"), new_token),
)
