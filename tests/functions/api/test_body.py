"""Bodies that are wrong, hostile or huge: the answer says what is wrong, and is never an error of the service."""

import pytest

from functions.api.http.body import BODY_BYTES, NESTING_LEVELS, parse
from shared.domain.error import InvalidInput
from tests.functions.api.conftest import Api, problem

NOT_JSON = {
    "empty object cut": b"{",
    "a word": b"scan",
    "NaN": b'{"collect": NaN}',
    "Infinity": b'{"collect": Infinity}',
    "single quotes": b"{'collect': true}",
    "a comment": b'{"collect": true} // all',
    "two values": b"{} {}",
    "trailing comma": b'{"collect": true,}',
    "not UTF-8": b'{"collect": "\xff\xfe"}',
    "UTF-16": '{"collect": true}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "lone surrogate": b'{"collect": "\\ud800"}',
    "control character": b'{"collect": "\x01"}',
    "names twice": b'{"collect": true, "collect": false}',
    "names twice, deep": b'{"a": [{"b": {"c": 1, "c": 2}}]}',
    "names twice, escaped": b'{"collect": true, "c\\u006fllect": false}',
    "names twice, a colon escaped": b'{"a": 1, "a": 2, "b": "\\u003a"}',
    "a number of thousands of digits": b'{"collect": ' + b"1" * 5_000 + b"}",
    "a number of thousands of digits, below zero": b'{"collect": -' + b"1" * 5_000 + b"}",
    "nul": b"\x00",
    "gzip": b"\x1f\x8b\x08\x00",
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "over the depth": b"[" * (NESTING_LEVELS + 1) + b"]" * (NESTING_LEVELS + 1),
    "deep and open": b'{"a":' * 300_000,
}


@pytest.mark.parametrize("path", ["/scans", "/evaluate", "/remediations", "/exemptions", "/changes"])
def test_what_is_no_plain_json_is_refused(api: Api, path: str) -> None:
    for case, content in NOT_JSON.items():
        answer = api.raw(path, content)
        assert answer.status_code == (413 if len(content) > BODY_BYTES else 400), (case, answer.text)
        problem(answer, answer.status_code)


@pytest.mark.parametrize(
    "content", [b"[]", b'"text"', b"1", b"true", b"null", b'{"collect": 1e400}', b'{"collect": "maybe"}', b'{"a": 1}']
)
def test_json_that_is_not_what_is_asked_for_is_refused_with_its_path(api: Api, content: bytes) -> None:
    answer = api.raw("/scans", content)
    body = problem(answer, answer.status_code)
    assert answer.status_code in (400, 422)
    assert body["path"].startswith(("$", "body"))


def test_every_wrong_part_is_named(api: Api) -> None:
    body = problem(api.post("/scans", {"subscriptions": ["a", 1, None], "collectt": True}), 422)
    paths = [each["path"] for each in body["errors"]]
    assert paths == ["$.subscriptions[1]", "$.subscriptions[2]", "$.collectt"]
    assert body["path"] == "$.subscriptions[1]"


def test_names_that_need_brackets_are_put_in_them(api: Api) -> None:
    body = problem(api.post("/scans", {"cost.center": 1}), 422)
    assert body["path"] == "$['cost.center']"


def test_no_more_than_twenty_wrong_parts_are_named(api: Api) -> None:
    assert len(problem(api.post("/scans", {f"a{each}": 1 for each in range(50)}), 422)["errors"]) == 20


def test_what_was_sent_is_not_sent_back(api: Api) -> None:
    assert "hunter2" not in api.post("/scans", {"collect": "hunter2"}).text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "json"])
def test_a_body_that_does_not_say_it_is_json_is_refused(api: Api, kind: str) -> None:
    assert "application/json" in problem(api.raw("/scans", b"{}", kind), 415)["detail"]


@pytest.mark.parametrize("charset", ["latin-1", "utf-16"])
def test_other_encodings_are_refused(api: Api, charset: str) -> None:
    problem(api.raw("/scans", b"{}", f"application/json; charset={charset}"), 415)


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_is_taken_however_it_is_spelled(api: Api, kind: str) -> None:
    assert api.raw("/scans", b'{"collect": false}', kind).status_code == 202


def test_a_body_over_the_limit_is_refused_by_its_declared_length(api: Api) -> None:
    problem(api.raw("/scans", b" " * (BODY_BYTES + 1)), 413)
    problem(api.raw("/scans", b"{}", content_length="9" * 30), 413)


def test_a_body_over_the_limit_is_refused_when_its_length_is_not_declared(api: Api) -> None:
    sent: list[int] = []

    def chunks() -> object:
        for number in range(100):
            sent.append(number)
            yield b" " * 100_000

    headers = api.headers(content_type="application/json")
    problem(api.client.post("/api/v1/scans", content=chunks(), headers=headers), 413)  # type: ignore[arg-type]


def test_a_body_where_none_is_read_does_no_harm(api: Api) -> None:
    assert api.client.request("GET", "/api/v1/scans", content=b"\xff" * 10, headers=api.headers()).status_code == 200


def test_no_body_is_the_default_where_there_is_one(api: Api) -> None:
    answer = api.post("/scans")
    assert answer.status_code == 202
    assert answer.json()["request"] == {"subscriptions": None, "collect": True, "mode": "changes"}


def test_no_body_where_one_is_needed_is_reported(api: Api) -> None:
    assert problem(api.post("/exemptions"), 422)["path"] == "$"


def test_large_numbers_are_taken_as_json_means_them() -> None:
    assert parse(b"[123456789012345678901234567890, -0.0, 1e3]") == [1.2345678901234568e29, -0.0, 1000.0]


def test_the_deepest_body_is_taken() -> None:
    assert parse(b"[" * NESTING_LEVELS + b"]" * NESTING_LEVELS)


def test_the_name_that_comes_twice_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"not valid JSON: \$\.c\[1\]: the key 'b' occurs twice in one object"):
        parse(b'{"c": [0, {"a": 1, "b": 2, "b": 3}]}')
