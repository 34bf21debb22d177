"""A sandbox cloud for each test that changes it, one shared by those that only read, and Microsoft's own clients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient

from local.cloud import Sandbox, sandbox
from local.cloud.generation import generate_estate
from tests.fakes.sandbox import Clock, Http


class _Token(SansIOHTTPPolicy[Any, Any]):
    """Sends the sandbox's token; the clients' own policy refuses plain HTTP."""

    def __init__(self, token: str) -> None:
        self._token = token

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers["Authorization"] = f"Bearer {self._token}"


class _Credential:
    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        raise AssertionError("the policy that would ask is replaced")


@dataclass
class Clients:
    """Microsoft's clients, pointed at a sandbox cloud."""

    cloud: Sandbox

    def _options(self) -> dict[str, Any]:
        policy = _Token(self.cloud.token)
        return {
            "base_url": self.cloud.url,
            "authentication_policy": policy,
            "credential_scopes": ["sandbox"],
            "retry_total": 0,
        }

    def resources(self, subscription: str, **options: Any) -> ResourceManagementClient:
        return ResourceManagementClient(_Credential(), subscription, **{**self._options(), **options})

    def subscriptions(self) -> SubscriptionClient:
        return SubscriptionClient(_Credential(), **self._options())

    def management_groups(self) -> ManagementGroupsMgmtClient:
        return ManagementGroupsMgmtClient(_Credential(), **self._options())

    def graph(self, **options: Any) -> ResourceGraphClient:
        return ResourceGraphClient(_Credential(), **{**self._options(), **options})


@pytest.fixture(scope="session")
def estate_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An estate of 300 resources, generated once and copied by those that change it."""
    path = tmp_path_factory.mktemp("estate") / "cloud.db"
    generate_estate(path, seed=7, count=300)
    return path


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory, estate_file: Path) -> Iterator[Sandbox]:
    """A cloud that no test changes."""
    path = tmp_path_factory.mktemp("still") / "cloud.db"
    path.write_bytes(estate_file.read_bytes())
    with sandbox(path) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(tmp_path: Path, estate_file: Path) -> Iterator[Callable[..., Sandbox]]:
    """Starts a cloud with options; it stops when the test ends."""
    stack: list[Any] = []

    def begin(**options: Any) -> Sandbox:
        path = tmp_path / f"cloud{len(stack)}.db"
        path.write_bytes(estate_file.read_bytes())
        running = sandbox(path, **options)
        stack.append(running)
        return running.__enter__()

    yield begin
    for running in reversed(stack):
        running.__exit__(None, None, None)


@pytest.fixture
def cloud(start: Callable[..., Sandbox]) -> Sandbox:
    """A cloud of the test's own."""
    return start()


@pytest.fixture
def http(cloud: Sandbox) -> Http:
    return Http(cloud)


@pytest.fixture(scope="session")
def connect() -> Callable[[Sandbox], Http]:
    """Plain HTTP to any cloud."""
    return Http


@pytest.fixture
def clients(cloud: Sandbox) -> Clients:
    return Clients(cloud)


@pytest.fixture(scope="session")
def look(still: Sandbox) -> Http:
    """Plain HTTP to the cloud that no test changes."""
    return Http(still)


@pytest.fixture(scope="session")
def readers(still: Sandbox) -> Clients:
    """Microsoft's clients for the cloud that no test changes."""
    return Clients(still)
