"""A clock for a sandbox cloud, and a plain client of it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from local.cloud import Sandbox

START = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Returns the time it was set to."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Reply:
    """What came back, with the body parsed where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def error(self) -> str:
        return str(self.body["error"]["code"])


@dataclass
class Http:
    """A plain HTTP client, with the sandbox's token unless a test gives another."""

    cloud: Sandbox
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, method: str, path: str, body: Any = None, *, version: str | None = "2025-04-01", **headers: str
    ) -> Reply:
        parts = urlsplit(path if "://" in path else self.cloud.url + path)
        query = parts.query if version is None else f"{parts.query}&api-version={version}"
        sent = {"Authorization": f"Bearer {self.cloud.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection = HTTPConnection(parts.netloc)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body)
            connection.request(method, f"{parts.path}?{query}", data, sent)
            response = connection.getresponse()
            text = response.read()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, json.loads(text) if text else None)
        finally:
            connection.close()
