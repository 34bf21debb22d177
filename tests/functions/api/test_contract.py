"""The OpenAPI document and the API agree: on every pattern, every type of a body, every error.

Every answer in the tests of this folder is compared with the document as well, by the `api` fixture.
"""

import copy
import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from httpx2 import Request, Response
from pydantic import StringConstraints, TypeAdapter, ValidationError

from shared.domain import validation_message
from tests.functions.api import contract
from tests.functions.api.conftest import Api, problem

Json = Any
TRICKY = (
    *"aZ09-_.()/ @'é٣K\u017fßﬁ漢\u0345\u200b\u202e\u2028\n\r\t\x00\x7f\x85\ufeff\U0001d7d9",
    "rg-Größe", "a\n", "\na", "1.0.0", "1.0.0\n", "\u0661.\u0660.\u0660",
    "https://x", "HTTPS://x", "f" * 64, "F" * 64, "f" * 65,
    "/subscriptions/x", "/SUBSCRIPTIONS/x", "/\u017fubscriptions/x", "/subscriptions/x/resourcegroups/y",
    "/subscriptions/x/providers/a/b/c", "/subscriptions/x/providers/a/b", "/subscriptions/x/", "x" * 91, "",
)  # fmt: skip
ANSWERED = {r"^[a-z0-9]+(-[a-z0-9]+)*$", r"^[0-9]+\.[0-9]+\.[0-9]+$"}
"""Patterns of what is answered alone: nothing is refused by them."""
WRONG: dict[str, tuple[Json, ...]] = {
    "boolean": ("yes", "true", 1, 0, None, []),
    "integer": ("3", 3.5, True, None, []),
    "string": (3, True, None, [], {}),
    "array": ("x", {}, 3, None),
    "object": ("x", [], 3, None),
    "date-time": (0, 1_800_000_000, "2027-03-31", "2027-03-31T00:00:00", "tomorrow", "2027-03-31 00:00:00Z", ""),
}
"""Values that no schema of a type or format takes."""


def patterns(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        for each in value.values():
            yield from patterns(each)
    elif isinstance(value, list):
        for each in value:
            yield from patterns(each)


def test_patterns_mean_the_same_to_us_and_to_whoever_reads_the_document(api: Api) -> None:
    """We match with Rust's expressions, readers with ECMA-262's; both know what is left after these are forbidden."""
    found = set(patterns(contract.described(api.app)))
    assert len(found) >= 5
    assert found - ANSWERED <= validation_message.PATTERN_DESCRIPTIONS.keys(), (
        "a refusal must say in words what is allowed"
    )
    for pattern in found:
        assert not re.search(r"\\[wWdDsSbBpP]|\(\?|(?<!\\)\.(?!\])", re.sub(r"\[[^\]]*\]", "[]", pattern)), pattern
        assert not re.search(r"\\[wWdDsSbBpP]", pattern), pattern
        assert pattern.startswith("^"), pattern
        ours = TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
        theirs = re.compile(re.sub(r"\$$", r"\\Z", pattern), re.ASCII)
        for text in TRICKY:
            assert taken(ours, text) == bool(theirs.search(text)), (pattern, ascii(text))


def taken(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def bodies(api: Api) -> Iterator[tuple[str, Json, Json]]:
    """(path, schema, example) of every JSON body that is asked for by a schema of ours."""
    for path, methods in contract.described(api.app)["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        for example in content.get("examples", {}).values():
            if "$ref" in content.get("schema", {}):
                yield path.replace("{id}", "none"), content["schema"], example["value"]


def mutants(made: Json, schema: Json, example: Json) -> Iterator[tuple[str, Json]]:
    """Bodies with one value of the wrong type, each with its name."""
    plain = made["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name, inner in plain.get("properties", {}).items():
        kinds = [inner, *inner.get("anyOf", ())]
        known = {each.get("format") or each.get("type") for each in kinds} - {None}
        for kind in known & WRONG.keys():
            for value in WRONG[kind]:
                yield name, {**copy.deepcopy(example), name: value}
    yield "another", {**example, "another": 1}


@pytest.mark.slow
def test_a_body_that_the_document_does_not_allow_is_refused(api: Api) -> None:
    made = contract.described(api.app)
    kept, tried = [], 0
    for path, schema, example in bodies(api):
        check = contract.validator(api.app, schema)
        assert check.is_valid(example), path
        for name, body in mutants(made, schema, example):
            if not check.is_valid(body):
                answer = api.client.post(path, json=body, headers=api.headers())
                tried += 1
                if answer.status_code != 422:
                    kept.append((path, name, body[name], answer.status_code))
    assert tried > 100
    assert kept == [], kept


def test_the_comparison_sees_what_is_not_in_the_document(api: Api) -> None:
    refused = problem(api.client.get("/api/v1/scans"), 401)
    for change in ({"extra": 1}, {"status": "401"}, {"title": None}):
        asked = Request("GET", "http://testserver/api/v1/scans")
        head = {"content-type": "application/problem+json"}
        answer = Response(401, json={**refused, **change}, headers=head, request=asked)
        with pytest.raises(AssertionError):
            contract.check(api.app, answer)
    with pytest.raises(AssertionError, match="418"):
        contract.check(api.app, Response(418, json=refused, headers=head, request=asked))


def test_an_error_says_no_more_than_its_schema(api: Api) -> None:
    made = contract.described(api.app)["components"]["schemas"]
    assert made["Problem"]["additionalProperties"] is False
    assert {"permission", "scope", "path", "errors"} <= made["Problem"]["properties"].keys()
