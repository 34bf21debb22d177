"""Responses that faults have changed: cut short, emptied, garbled, or the page of a proxy."""

import math

import orjson

from local.cloud.arm.http import ArmResponse
from local.cloud.faults.fault import Fault, FaultKind, MatchedFaults
from local.cloud.graph import endpoint
from shared.domain.resource import Json

PROXY_PAGE = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"


def corrupt_response(given: ArmResponse, matched: MatchedFaults) -> ArmResponse:
    """Change the body of a response as its faults say. Only successes are changed."""
    if given.status >= 300 or not given.body:  # noqa: PLR2004 - what is no success
        return given
    if FaultKind.PROXY_PAGE in matched:
        return ArmResponse(given.status, PROXY_PAGE, {**given.headers, "Content-Type": "text/html; charset=utf-8"})
    if FaultKind.EMPTIED in matched:
        return ArmResponse(given.status, b"{}", given.headers)
    body = given.body
    if matched.keys() & {FaultKind.PARTIAL_PAGE, FaultKind.SHORTENED, FaultKind.TOO_LARGE}:
        body = _truncate(body, matched)
    if FaultKind.GARBLED in matched:
        body = body[: len(body) // 2]
    return ArmResponse(given.status, body, given.headers)


def _truncate(body: bytes, matched: MatchedFaults) -> bytes:
    content = orjson.loads(body)
    name = next((each for each in ("data", "value") if isinstance(content.get(each), list)), None)
    if name is None:
        return body
    # Before rows are left out: the limit is one of what there would have been to send.
    if (limit := matched.get(FaultKind.TOO_LARGE)) and len(content[name]) > limit.rows:
        raise endpoint.response_too_large(endpoint.PAYLOAD_BYTES + len(body))
    if partial := matched.get(FaultKind.PARTIAL_PAGE):
        content[name] = _keep_rows(content[name], partial)
    if short := matched.get(FaultKind.SHORTENED):
        content[name] = _keep_rows(content[name], short)
        # The page claims to be the last one and to be complete, so nothing in it shows that rows are missing.
        counts = {each: len(content[name]) for each in ("count", "totalRecords") if each in content}
        content = {key: each for key, each in content.items() if key not in {"nextLink", "$skipToken"}} | counts
    return orjson.dumps(content)


def _keep_rows(rows: list[Json], fault: Fault) -> list[Json]:
    return rows[: math.floor(len(rows) * fault.keep)]
