"""A function of the app, as the worker library indexed it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.host.proto import RpcFunctionMetadata, RpcRetryOptions


@dataclass(frozen=True, slots=True)
class FunctionBinding:
    """One binding; `data` is its function.json entry, such as {"queueName": …} or {"schedule": …}."""

    name: str
    type: str
    is_output: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AppFunction:
    """A function: its name, the library's id for it, its trigger and its other bindings."""

    name: str
    id: str
    trigger: FunctionBinding
    bindings: Sequence[FunctionBinding]
    retry: RpcRetryOptions | None = None

    @property
    def kind(self) -> str:
        """Return what triggers it, such as `http`, `timer`, `queue`, `orchestration`, `activity` or `entity`."""
        return self.trigger.type.removesuffix("Trigger")

    def inputs(self, kind: str) -> list[FunctionBinding]:
        """Return the input bindings of a type, without the trigger."""
        return [each for each in self.bindings if each.type == kind and not each.is_output]

    def output(self, name: str) -> FunctionBinding | None:
        """Return the output binding of that name; `$return` is the function's return value."""
        return next((each for each in self.bindings if each.is_output and each.name == name), None)


def read_function(metadata: RpcFunctionMetadata) -> AppFunction:
    """Read the function that an indexed entry describes."""
    bindings = [
        FunctionBinding(name=data["name"], type=data["type"], is_output=data.get("direction") == "OUT", data=data)
        for data in map(json.loads, metadata.raw_bindings or ())
    ]
    trigger = next(each for each in bindings if each.type.endswith("Trigger"))
    return AppFunction(
        name=str(metadata.name),
        id=str(metadata.function_id),
        trigger=trigger,
        bindings=[each for each in bindings if each is not trigger],
        retry=metadata.retry_options,
    )
