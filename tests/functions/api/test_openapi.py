"""The OpenAPI document: what linters ask for, and that each command it shows is a request of its operation."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from functions.api.openapi import TAGS, document
from tests.functions.api import contract
from tests.functions.api.conftest import Api

Json = Any
_FOREIGN = re.compile(r"\(\?(?![:=!]|<[=!a-zA-Z])|\\[AZzGQEHhNRXKUa]|[*+?}]\+")
"""What other dialects have: named groups in Python's spelling, flags, atomic groups, other anchors, possessive
quantifiers."""


def foreign_to_ecma(pattern: str) -> bool:
    return bool(_FOREIGN.search(re.sub(r"\[(?:[^\]\\]|\\.)*\]", "[]", pattern)))


def operations(api: Api) -> Iterator[tuple[str, str, Json]]:
    for path, methods in contract.described(api.app)["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def schemas(value: Json) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from schemas(each)
    elif isinstance(value, list):
        for each in value:
            yield from schemas(each)


@pytest.mark.parametrize(
    "pattern", ["(?P<a>b)", "(?P=a)", r"\Aa", r"a\Z", r"a\z", "a++", "a*+", "a?+", "a{2}+", "(?>a)", "(?i)a", "(?#a)"]
)
def test_what_is_not_ecma_is_seen(pattern: str) -> None:
    assert foreign_to_ecma(pattern)


@pytest.mark.parametrize("pattern", ["(?:a)", "(?=a)", "(?<!a)", "(?<a>b)", "a+", "[a+]+", r"\$", "a{2}"])
def test_what_is_ecma_is_left_alone(pattern: str) -> None:
    assert not foreign_to_ecma(pattern)


def test_patterns_are_of_ecma_262(api: Api) -> None:
    found = {each["pattern"] for each in schemas(contract.described(api.app)) if isinstance(each.get("pattern"), str)}
    assert len(found) >= 5
    assert [each for each in found if foreign_to_ecma(each)] == []


def test_the_document_says_whose_it_is_and_where_it_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_PUBLIC_URL", "https://cortex.example")
    made = document.__wrapped__(api.app)
    assert made["servers"] == [{"url": "https://cortex.example", "description": "this installation"}]
    assert made["info"]["contact"]["name"]
    assert made["info"]["license"]["identifier"] == "Apache-2.0"
    monkeypatch.delenv("CORTEX_PUBLIC_URL")
    assert document.__wrapped__(api.app)["servers"][0]["url"] == "/"


def test_tags_are_described_and_used(api: Api) -> None:
    used = {tag for _, _, operation in operations(api) for tag in operation["tags"]}
    assert [each["name"] for each in contract.described(api.app)["tags"]] == list(TAGS)
    assert used == TAGS.keys()


def test_operations_have_a_name_a_summary_and_a_refusal(api: Api) -> None:
    found = [operation for _, _, operation in operations(api)]
    assert len({each["operationId"] for each in found}) == len(found)
    assert [each["operationId"] for each in found if not each["summary"] or not each["description"]] == []
    assert [each["operationId"] for each in found if not any(status[0] == "4" for status in each["responses"])] == []


def test_event_streams_are_text(api: Api) -> None:
    streams = [
        content
        for _, _, operation in operations(api)
        for kind, content in operation["responses"].get("200", {}).get("content", {}).items()
        if kind == "text/event-stream"
    ]
    assert len(streams) >= 2
    assert {each["schema"]["type"] for each in streams} == {"string"}
    assert all(isinstance(each["example"], str) for each in streams)


def test_no_example_is_taken_for_a_schema(api: Api) -> None:
    arrays = [each for each in schemas(contract.described(api.app)) if each.get("type") == "array"]
    assert [each for each in arrays if "items" not in each] == []


def test_every_schema_is_referred_to(api: Api) -> None:
    made = contract.described(api.app)
    used = {str(each["$ref"]).rpartition("/")[2] for each in schemas(made) if isinstance(each.get("$ref"), str)}
    assert made["components"]["schemas"].keys() - used == set()


def test_what_starts_work_says_when_to_look(api: Api) -> None:
    started = [operation["responses"]["202"] for *_, operation in operations(api) if "202" in operation["responses"]]
    assert len(started) >= 10
    assert all("Retry-After" in each["headers"] for each in started)
    answer = api.post("/scans", {})
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "1")
    assert answer.headers["location"].startswith("/api/v1/scans/")


def test_each_operation_has_a_command_that_calls_it(api: Api) -> None:
    for method, path, operation in operations(api):
        (sample,) = operation["x-codeSamples"]
        assert (sample["lang"], sample["label"]) == ("Shell", "curl")
        *variables, command = sample["source"].replace("\\\n", "").split("\ncurl ", 1)
        words = shlex.split(command)
        url = urlsplit(words[-1])
        assert re.sub(r"\$([A-Z]+)", lambda name: f"{{{name[1].lower()}}}", url.path) == path, path
        assert re.findall(r"(?m)^([A-Z]+)=\.\.\.$", "\n".join(variables)) == [], f"{path}: no value was recorded"
        asked = words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"
        assert asked.lower() == ("get" if "--data-binary" in words and method == "post" else method), path
        assert ("authorization: Bearer $TOKEN" in words) == ("x-role" in operation), path
        if "-d" in words:
            json.loads(words[words.index("-d") + 1])
