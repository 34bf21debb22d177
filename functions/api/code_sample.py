"""Code samples: each operation as a command of curl that can be pasted into a shell."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from shared.domain.resource import JsonObject

SHORT_BYTES = 70
"""Bodies of up to so many bytes are on the line of their option."""


def curl(method: str, path: str, operation: JsonObject, examples: Mapping[str, Any], address: str) -> str:
    """Return the command that calls an operation; `examples` are recorded answers, by operation and status.

    What the address names is the value of a recorded answer where there is one, otherwise a variable to be set.
    """
    role = operation.get("x-role")
    lines = [f"TOKEN=$(cortex token --role {role})"] if role else []
    for name in re.findall(r"\{(\w+)\}", path):
        lines.append(f"{name.upper()}={shlex.quote(_recorded(name, operation, examples))}")
        path = path.replace(f"{{{name}}}", f"${name.upper()}")
    query = "&".join(f"{each['name']}={_value(each)}" for each in _required(operation, "query"))
    lines.append(
        " \\\n  ".join(["curl -sS", *_options(method, operation), f'"{address}{path}{query and "?" + query}"'])
    )
    return "\n".join(lines)


def _options(method: str, operation: JsonObject) -> Iterator[str]:
    content: JsonObject = operation.get("requestBody", {}).get("content", {})
    if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
        yield "-N"
    if method == "put" or (method == "post" and not content):
        yield f"-X {method.upper()}"
    if "x-role" in operation:
        yield '-H "authorization: Bearer $TOKEN"'
    for each in _required(operation, "header"):
        yield f"-H {shlex.quote(f'{each["name"]}: {_value(each)}')}"
    if "application/octet-stream" in content:
        yield "-H 'content-type: application/octet-stream'"
        yield "--data-binary @inventory.json"
    elif content:
        yield "-H 'content-type: application/json'"
        yield f"-d {shlex.quote(_body(next(iter(content.values()))))}"


def _body(content: JsonObject) -> str:
    value = next((each["value"] for each in content.get("examples", {}).values()), content.get("example", {}))
    short = orjson.dumps(value)
    return (short if len(short) <= SHORT_BYTES else orjson.dumps(value, option=orjson.OPT_INDENT_2)).decode()


def _required(operation: JsonObject, where: str) -> Iterator[JsonObject]:
    return (each for each in operation.get("parameters", ()) if each["in"] == where and each.get("required"))


def _value(parameter: JsonObject) -> str:
    return str(parameter.get("example") or parameter["name"].upper())


def _recorded(name: str, operation: JsonObject, examples: Mapping[str, Any]) -> str:
    """Return a value of a recorded answer of this operation or of the one that gets its noun; "..." without one."""
    noun = operation["operationId"].partition("_")[0]
    for source in (operation["operationId"], f"{noun}_get", f"{noun}_start"):
        for answer in examples.get(source, {}).values():
            if isinstance(answer, dict) and isinstance(answer.get(name), str):
                return str(answer[name])
    return "..."
