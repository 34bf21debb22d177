"""Output bindings to queues: which messages an invocation sends."""

import json
from collections.abc import Callable
from typing import Any

from local.host.function import AppFunction
from local.host.proto import InvocationResponse, TypedData

SendMessage = Callable[[str, str], None]
"""Puts a text on the queue of a name."""


def output_messages(function: AppFunction, response: InvocationResponse) -> list[tuple[str, str]]:
    """Return the (queue, text) pairs of all outputs. A list is one message for each element."""
    given = [(each.name, each.data) for each in response.output_data or ()]
    if response.return_value is not None:
        given.append(("$return", response.return_value))
    bound = [(function.output(name), data) for name, data in given]
    return [
        (str(binding.data["queueName"]), text)
        for binding, data in bound
        if binding is not None and binding.type == "queue"
        for text in _texts(data)
    ]


def _texts(data: TypedData) -> list[str]:
    kind = data.WhichOneof("data")
    value: Any = getattr(data, kind) if kind else None
    if kind == "bytes":
        return [value.decode()]
    if kind != "json":
        return [] if value is None else [str(value)]
    decoded = json.loads(value)
    return [_body(each) for each in decoded] if isinstance(decoded, list) else [_body(decoded)]


def _body(value: object) -> str:
    # A func.QueueMessage arrives as {"id", "body"}; its body alone is sent.
    if isinstance(value, dict) and set(value) == {"id", "body"}:
        return str(value["body"])
    return value if isinstance(value, str) else json.dumps(value)
