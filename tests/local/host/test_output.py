"""Which messages an invocation's outputs are."""

import json
from typing import Any

import pytest

from local.host import output
from local.host.function import AppFunction, FunctionBinding
from local.host.proto import InvocationResponse, ParameterBinding, TypedData

QUEUE = FunctionBinding("out", "queue", is_output=True, data={"queueName": "letters"})
ANSWER = FunctionBinding("$return", "queue", is_output=True, data={"queueName": "answers"})
TRIGGER = FunctionBinding("in", "queueTrigger", is_output=False, data={})


def sent(data: TypedData, *bindings: FunctionBinding) -> list[tuple[str, str]]:
    function = AppFunction("f", "f", TRIGGER, bindings)
    return output.output_messages(function, InvocationResponse(output_data=[ParameterBinding(name="out", data=data)]))


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (TypedData(string="x"), ["x"]),
        (TypedData(string=""), [""]),
        (TypedData(bytes=b"x"), ["x"]),
        (TypedData(int=7), ["7"]),
        (TypedData(), []),
        (TypedData(json='["a", {"b": 1}]'), ["a", '{"b": 1}']),
        (TypedData(json='{"id": "1", "body": "text"}'), ["text"]),
        (TypedData(json='{"id": "1", "other": "text"}'), ['{"id": "1", "other": "text"}']),
        (TypedData(json='[{"id": "1", "body": "a"}, "b"]'), ["a", "b"]),
        (TypedData(json="[]"), []),
    ],
)
def test_outputs_that_were_set_are_sent(data: TypedData, texts: list[str]) -> None:
    assert sent(data, QUEUE) == [("letters", text) for text in texts]


def test_outputs_to_other_places_are_not_messages() -> None:
    assert sent(TypedData(string="x"), FunctionBinding("out", "blob", is_output=True, data={})) == []
    assert sent(TypedData(string="x")) == []


def test_a_returned_value_goes_to_its_own_queue() -> None:
    function = AppFunction("f", "f", TRIGGER, (QUEUE, ANSWER))
    answer = InvocationResponse(return_value=TypedData(json=json.dumps(["x", "y"])))
    assert output.output_messages(function, answer) == [("answers", "x"), ("answers", "y")]


@pytest.mark.parametrize("value", [None, TypedData(json="[1]")])
def test_a_returned_value_without_a_queue_is_no_message(value: Any) -> None:
    assert (
        output.output_messages(AppFunction("f", "f", TRIGGER, (QUEUE,)), InvocationResponse(return_value=value)) == []
    )
