"""The reference: every body has an example, and recorded answers are what the models say."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from functions.api.http.route import OperationRoute
from functions.api.openapi import EXAMPLES_FILE
from tests.functions.api.conftest import Api
from tests.house.invented import WIRE_WORDS, words


def bodies(made: Any) -> Iterator[tuple[str, Any]]:
    """Every body that is asked for or answered: the place, and what the document says of it."""
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            parts = {"request": operation.get("requestBody", {}), **operation["responses"]}
            for part, body in parts.items():
                for kind, content in body.get("content", {}).items():
                    yield f"{method} {path} {part} {kind}", content


def test_every_body_has_an_example(api: Api) -> None:
    made = json.loads(api.client.get("/api/openapi.json").text)
    found = {place: content.get("example") or content.get("examples") for place, content in bodies(made)}
    assert len(found) > 320
    assert [place for place, example in found.items() if not example] == [], "scripts/examples.py records answers"


def test_no_invented_word_comes_back_on_the_wire(api: Api) -> None:
    schemas = json.loads(api.client.get("/api/openapi.json").text)["components"]["schemas"]
    found = {f"{schema}.{name}" for schema, body in schemas.items() for name in body.get("properties", {})}
    assert len(found) > 300
    assert {name for name in found if words(name) & WIRE_WORDS} == set()


def test_recorded_answers_are_those_of_the_models(api: Api) -> None:
    recorded = json.loads(EXAMPLES_FILE.read_bytes())
    routes = {route.operation_id: route for route in api.app.routes if isinstance(route, OperationRoute)}
    assert recorded.keys() <= routes.keys()
    for name, answers in recorded.items():
        for status, value in answers.items():
            model = routes[name].responses.get(int(status), {}).get("model", routes[name].response_model)
            if model is None:
                assert [line.partition(": ")[0] for line in value.split("\n")] == ["id", "event", "data", "", ""], name
                continue
            read = TypeAdapter(model).validate_json(json.dumps(value))
            written = TypeAdapter(model).dump_python(read, mode="json", by_alias=True)
            assert value.keys() <= written.keys(), (name, status)
            assert [key for key in value if not same(value[key], written[key])] == [], (name, status)


def same(recorded: Any, written: Any) -> bool:
    """Whether a model keeps all that was recorded; what it adds are its defaults."""
    if isinstance(recorded, dict):
        return isinstance(written, dict) and all(
            key in written and same(each, written[key]) for key, each in recorded.items()
        )
    if isinstance(recorded, list):
        return len(recorded) == len(written) and all(map(same, recorded, written))
    return bool(recorded == written)
