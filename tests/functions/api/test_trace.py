"""Trace Context: valid headers are taken and answered, others are ignored; the trace goes where the work goes."""

import re

import pytest

from tests.functions.api.conftest import Api

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
VALID = {
    f"00-{TRACE}-{PARENT}-01": "01",
    f"00-{TRACE}-{PARENT}-00": "00",
    f"00-{TRACE}-{PARENT}-03": "03",
    f"00-{TRACE}-{PARENT}-ff": "03",
    f"01-{TRACE}-{PARENT}-01": "01",
    f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like": "01",
    f"cc-{TRACE}-{PARENT}-01-": "01",
}
"""Headers, with the flags of the answer: those that we know, and zero for the others."""
INVALID = (
    "", "x", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-1", f"00-{TRACE}-{PARENT}-01-",
    f"00-{TRACE}-{PARENT}-01-x",
    f"00-{TRACE}-{PARENT}", f"00-{TRACE[1:]}-{PARENT}-01", f"00-{TRACE}{PARENT}-01", f"0-{TRACE}-{PARENT}-01",
    f"cc-{TRACE}-{PARENT}-01.what", f"00-{TRACE}-{PARENT}-0g", f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
    f"00_{TRACE}_{PARENT}_01", f"00-{TRACE}-{PARENT}-01;x", "00-" + "a" * 10_000,
)  # fmt: skip
"""From the specification's text and its own test suite, and longer."""


@pytest.mark.parametrize("given", VALID)
def test_a_valid_trace_is_answered_with_an_id_of_our_own(api: Api, given: str) -> None:
    answer = api.get("/scans", traceparent=given)
    found = re.fullmatch(f"00-{TRACE}-([0-9a-f]{{16}})-{VALID[given]}", answer.headers["traceparent"])
    assert found, answer.headers["traceparent"]
    assert found[1] not in (PARENT, "0" * 16)
    assert answer.headers["x-correlation-id"] == TRACE


@pytest.mark.parametrize("given", INVALID)
def test_an_invalid_trace_is_ignored(api: Api, given: str) -> None:
    answer = api.get("/scans", traceparent=given)
    assert answer.status_code == 200
    assert "traceparent" not in answer.headers
    assert answer.headers["x-correlation-id"] != TRACE


def test_two_traces_are_none(api: Api) -> None:
    given = [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("traceparent", f"00-{TRACE}-{PARENT}-00")]
    assert "traceparent" not in api.client.get("/api/v1/health", headers=given).headers


def test_a_request_without_a_trace_gets_none(api: Api) -> None:
    assert "traceparent" not in api.client.get("/api/v1/health").headers


def test_the_trace_goes_where_the_work_goes(api: Api) -> None:
    started = api.post("/scans", {}, traceparent=f"00-{TRACE}-{PARENT}-01").json()
    assert started["correlation"] == TRACE
    assert f'"correlation":"{TRACE}"' in api.ports.queue.receive("scan-requests")[0].body


def test_a_correlation_id_of_the_caller_goes_before_the_trace(api: Api) -> None:
    answer = api.get("/scans", traceparent=f"00-{TRACE}-{PARENT}-01", x_correlation_id="mine")
    assert answer.headers["x-correlation-id"] == "mine"
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


def test_errors_have_the_trace_too(api: Api) -> None:
    answer = api.client.get("/nope", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert answer.json()["correlationId"] == TRACE
