"""One request to Cosmos DB and its answer, and what the rules of the service say of it by itself."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote

from shared.domain.nesting import nests_deeper

LARGEST = 2 * 1024 * 1024
LONGEST_ID = 1_023
LONGEST_KEY = 2_048
DEEPEST = 128
MOST_OPERATIONS = 100
THROTTLED = "3200"
"""The sub-status of a 429 for the rate of requests."""


@dataclass(frozen=True)
class Answer:
    """What is sent back; header names in lower case. Status 0 is a connection that breaks."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def error(cls, status: int, message: str, *, sub_status: str = "0", **headers: str) -> "Answer":
        """A rejection as the service words it."""
        body = json.dumps(
            {"code": HTTPStatus(status).phrase if status != RETRY_WITH else "RetryWith"} | {"message": message}
        )
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, body.encode(), {"x-ms-substatus": sub_status, "content-type": "application/json", **named})

    def json(self) -> Any:
        return json.loads(self.body)


RETRY_WITH = 449


@dataclass(frozen=True)
class Asked:
    """A request; header names in lower case. `operation` is what it asks of items, "" when it is about none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @cached_property
    def operation(self) -> str:
        parts = self.path.strip("/").split("/")
        if len(parts) < 5 or parts[4] != "docs":
            return ""
        if len(parts) > 5:
            return {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}.get(self.method, "")
        if self.method == "GET":
            return "query"
        for header, operation in (
            ("x-ms-cosmos-is-batch-request", "batch"),
            ("x-ms-documentdb-isquery", "query"),
            ("x-ms-documentdb-is-upsert", "upsert"),
        ):
            if self.headers.get(header, "").lower() == "true":
                return operation
        return "query" if self.headers.get("content-type") == "application/query+json" else "create"

    @property
    def writes(self) -> bool:
        return self.operation in {"create", "upsert", "replace", "patch", "delete", "batch"}

    @cached_property
    def item(self) -> Mapping[str, Any]:
        """The item to be written."""
        found: Mapping[str, Any] = json.loads(self.body) if self.operation in {"create", "upsert", "replace"} else {}
        return found

    @cached_property
    def operations(self) -> list[Mapping[str, Any]]:
        """Those of a batch."""
        found: list[Mapping[str, Any]] = json.loads(self.body) if self.operation == "batch" else []
        return found

    @property
    def key(self) -> str:
        """The partition key value, as JSON in a list."""
        return self.headers.get("x-ms-documentdb-partitionkey", "")

    def collection(self) -> str:
        return "/".join(self.path.strip("/").split("/")[:4])

    def at(self, identity: str) -> "Asked":
        """The point read of an item in the same partition."""
        path = f"/{self.collection()}/docs/{quote(identity, safe='')}"
        kept = {
            name: self.headers[name]
            for name in ("authorization", "x-ms-date", "x-ms-version", "host")
            if name in self.headers
        }
        return Asked("GET", path, {**kept, "x-ms-documentdb-partitionkey": self.key})

    def written(self) -> list[str]:
        """The ids of the items that it would write."""
        if self.operation in {"create", "upsert"}:
            return [str(self.item.get("id"))]
        if self.operation in {"replace", "patch", "delete"}:
            return [unquote(self.path.rstrip("/").rpartition("/")[2])]
        return [str(each["resourceBody"]["id"]) for each in self.operations if "resourceBody" in each]


def rejection(asked: Asked) -> Answer | None:
    """What the limits of the service say of a request; None when they let it pass."""
    if asked.operation == "batch" and len(asked.operations) > MOST_OPERATIONS:
        return Answer.error(400, f"Batch request has more operations than what is supported ({MOST_OPERATIONS}).")
    if asked.writes and len(asked.body) > LARGEST:
        return Answer.error(413, "Request size is too large")
    crossing = asked.headers.get("x-ms-documentdb-query-enablecrosspartition", "").lower() == "true"
    if asked.operation == "query" and asked.method == "POST" and not asked.key and not crossing:
        return Answer.error(400, "Cross partition query is required but disabled.")
    if any(len(each.encode()) > LONGEST_KEY for each in _texts(asked.key)):
        return Answer.error(400, f"Partition key value is over {LONGEST_KEY} bytes.")
    items = [asked.item] if asked.item else [each.get("resourceBody", {}) for each in asked.operations]
    return next((found for each in items if (found := _unfit(each))), None)


def _unfit(item: Mapping[str, Any]) -> Answer | None:
    identity = item.get("id")
    if item and (not isinstance(identity, str) or not identity or len(identity.encode()) > LONGEST_ID):
        return Answer.error(400, f"The id is missing, or has over {LONGEST_ID} bytes.")
    if isinstance(identity, str) and set(identity) & set("/\\?#"):
        return Answer.error(400, "The id has a character that is not allowed.")
    if nests_deeper(item, DEEPEST):
        return Answer.error(400, f"The item nests deeper than {DEEPEST} levels.")
    return None


def _texts(key: str) -> list[str]:
    return [each for each in json.loads(key) if isinstance(each, str)] if key else []


def charge(asked: Asked, answer: Answer) -> float:
    """About what it costs: 1 unit a kB read, 5 a kB written, 2.5 a query and more for what it answers.

    Source: Azure Cosmos DB, "Request Units in Azure Cosmos DB".
    """
    if not asked.operation:
        return 1.0
    if asked.writes:
        return 5.0 * max(1, math.ceil(len(asked.body) / 1024))
    read = max(1, math.ceil(len(answer.body) / 1024))
    return 1.0 * read if asked.operation == "read" else 2.5 + 0.5 * read
