"""The API over real local adapters and a small cloud in memory, called as the web would call it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from functions.api.app import build
from functions.api.http.stream import StreamPolling
from shared.adapters.generation import GenerationDocuments, StoredGenerations
from shared.adapters.local.identity import SignedTokens
from shared.bootstrap import Ports
from shared.domain.identity import Role
from shared.eventstore.store import Store
from shared.ports.queue import Queue
from tests.fakes.catalog import FixingCatalog
from tests.fakes.clock import TENANT, Clock
from tests.fakes.cloud import MemoryCloud
from tests.fakes.world import World
from tests.functions.api import contract

HOUR = timedelta(hours=1)


@dataclass
class Api:
    """Calls the API as somebody; the default is an admin called ada."""

    ports: Ports
    app: FastAPI
    client: TestClient

    def token(self, *roles: Role, tenant: str = TENANT, name: str = "ada") -> str:
        identity = self.ports.identity
        assert isinstance(identity, SignedTokens)
        return identity.mint(name, roles or (Role.ADMIN,), tenant, HOUR)

    def headers(self, *roles: Role, tenant: str = TENANT, name: str = "ada", **more: str) -> dict[str, str]:
        given = {key.replace("_", "-"): value for key, value in more.items()}
        return {"authorization": f"Bearer {self.token(*roles, tenant=tenant, name=name)}", **given}

    def get(self, path: str, *roles: Role, tenant: str = TENANT, **headers: str) -> Response:
        return self.client.get(f"/api/v1{path}", headers=self.headers(*roles, tenant=tenant, **headers))

    def post(
        self,
        path: str,
        body: Any = None,
        *roles: Role,
        tenant: str = TENANT,
        name: str = "ada",
        **headers: str,
    ) -> Response:
        given = self.headers(*roles, tenant=tenant, name=name, **headers)
        return self.client.post(f"/api/v1{path}", json=body, headers=given)

    def raw(self, path: str, content: bytes, kind: str = "application/json", **headers: str) -> Response:
        given = self.headers(content_type=kind, **headers)
        return self.client.post(f"/api/v1{path}", content=content, headers=given)


@pytest.fixture
def cloud() -> MemoryCloud:
    return MemoryCloud()


@pytest.fixture
def ports(store: Store, queue: Queue, cloud: MemoryCloud, clock: Clock) -> Ports:
    numbers = count(1)
    return Ports(
        documents=store.documents,
        blobs=store.blobs,
        queue=queue,
        inventory=cloud,  # type: ignore[arg-type]
        control=cloud,
        catalog=FixingCatalog(),
        identity=SignedTokens("a secret of the tests, 32 bytes or more", clock),
        generations=StoredGenerations(GenerationDocuments(store.documents)),
        now=clock,
        new_id=lambda: f"{next(numbers):026x}",
    )


@pytest.fixture
def api(ports: Ports) -> Iterator[Api]:
    app = build(ports, StreamPolling(interval=0.001, polls=40))
    with TestClient(app, follow_redirects=False) as client:
        client.event_hooks = {"response": [partial(_check, app)]}
        yield Api(ports, app, client)


def _check(app: FastAPI, answer: Response) -> None:
    """Compare an answer with the OpenAPI document; streams are not read to their end for it."""
    if answer.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
        answer.read()
        contract.check(app, answer, made_up=getattr(app.state, "failing", False))


@pytest.fixture
def world(store: Store, queue: Queue, cloud: MemoryCloud) -> World:
    """The tenant's cloud, judged by a catalog of a few fixing policies."""
    return World(store, queue, cloud)


def problem(answer: Response, status: int) -> dict[str, Any]:
    """The problem document of an answer, after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["type"].startswith("/api/docs#")
    assert body["correlationId"] == answer.headers["x-correlation-id"]
    assert "Traceback" not in answer.text
    return body
