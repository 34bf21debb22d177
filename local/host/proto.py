"""The messages of the Functions worker protocol as plain classes, which Microsoft's worker library takes as `protos`.

Source: azure-functions-language-worker-protobuf, "FunctionRpc.proto".
"""

from typing import Any


class ProtocolMessage:
    """A message whose fields are the keywords it was made with; fields that were left out read as None."""

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401 - the protocol's fields are of any type
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        if name.startswith("__") or name == "TypedData":  # what the library probes for
            raise AttributeError(name)


class TypedData(ProtocolMessage):
    """One value; the keyword is its kind: `string`, `json`, `bytes`, `int`, `double` or `http`."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        """Return the kind of the value; None when there is none."""
        return next(iter(self.__dict__), None)


class ParameterBinding(ProtocolMessage):
    """The value of the parameter `name`, in `data`."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        """Return `data`: values travel in the message, never in shared memory."""
        return "data"


class StatusResult(ProtocolMessage):
    """How a request ended: its `status`, and the `exception` of a failure."""

    Failure = 0
    Success = 1


class BindingInfo(ProtocolMessage):
    """The `type` and `direction` of a binding. The third direction, `in`, is a keyword and set below."""

    out = 1
    inout = 2


setattr(BindingInfo, "in", 0)


class RpcHttpCookie(ProtocolMessage):
    """A cookie of a response."""

    class SameSite:
        """Where a cookie is sent; the member `None` is a keyword and set below."""

        Lax = 1
        Strict = 2
        ExplicitNone = 3


setattr(RpcHttpCookie.SameSite, "None", 0)


class RpcException(ProtocolMessage):
    """What went wrong: `message` as "Type: text", `stack_trace`."""


class RpcHttp(ProtocolMessage):
    """A request (method, url, headers, params, query, body) or a response (status_code, headers, cookies, body)."""


class RpcFunctionMetadata(ProtocolMessage):
    """A function as indexed: name, function_id, raw_bindings (JSON text each), retry_options."""


class RpcRetryOptions(ProtocolMessage):
    """max_retry_count, retry_strategy, and the delays as timedeltas."""


class InvocationResponse(ProtocolMessage):
    """invocation_id, result, return_value (TypedData) and output_data (ParameterBindings)."""


class WorkerInitResponse(ProtocolMessage):
    """capabilities, worker_metadata, result."""


class FunctionMetadataResponse(ProtocolMessage):
    """function_metadata_results, result."""


class FunctionLoadResponse(ProtocolMessage):
    """function_id, result."""


class WorkerMetadata(ProtocolMessage):
    """Which runtime and version the worker is."""


class NullableString(ProtocolMessage):
    """A text that may be absent."""


class NullableBool(ProtocolMessage):
    """A boolean that may be absent."""


class NullableDouble(ProtocolMessage):
    """A number that may be absent."""


class NullableTimestamp(ProtocolMessage):
    """A time that may be absent."""
