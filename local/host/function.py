"""A function of the app, as the worker library indexed it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.host.proto import RpcFunctionMetadata, RpcRetryOptions


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding; `data` is its function.json entry, such as {"queueName": …} or {"schedule": …}."""

    name: str
    type: str
    is_output: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """A name, the id the library knows it by, its trigger and its other bindings."""

    name: str
    id: str
    trigger: Binding
    bindings: Sequence[Binding]
    retry: RpcRetryOptions | None = None

    @property
    def kind(self) -> str:
        """What triggers it, such as `http`, `timer`, `queue`, `orchestration`, `activity` or `entity`."""
        return self.trigger.type.removesuffix("Trigger")

    def inputs(self, kind: str) -> list[Binding]:
        """The input bindings of a type beside the trigger."""
        return [each for each in self.bindings if each.type == kind and not each.is_output]

    def output(self, name: str) -> Binding | None:
        """The output binding of that name; `$return` is the function's answer."""
        return next((each for each in self.bindings if each.is_output and each.name == name), None)


def read(metadata: RpcFunctionMetadata) -> Function:
    """The function that an indexed entry describes."""
    bindings = [_binding(json.loads(raw)) for raw in metadata.raw_bindings or ()]
    trigger = next(each for each in bindings if each.type.endswith("Trigger"))
    return Function(
        name=str(metadata.name),
        id=str(metadata.function_id),
        trigger=trigger,
        bindings=[each for each in bindings if each is not trigger],
        retry=metadata.retry_options,
    )


def _binding(data: Mapping[str, Any]) -> Binding:
    return Binding(name=data["name"], type=data["type"], is_output=data.get("direction") == "OUT", data=data)
