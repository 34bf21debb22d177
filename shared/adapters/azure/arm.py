"""The way to Azure Resource Manager: one pipeline per tenant, which all the SDK's clients share."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from shared.adapters.azure import refusal
from shared.adapters.azure.patience import Authentication, Patience, Quota
from shared.domain.error import InvalidInput, NotFound, Unavailable

Json = dict[str, Any]

_ID = re.compile(r"/[\w.\-()/ @:~!$&'*+,;=]{1,2047}", re.ASCII)
_SCOPES = {
    "management.usgovcloudapi.net": "https://management.core.usgovcloudapi.net/.default",
    "management.chinacloudapi.cn": "https://management.chinacloudapi.cn/.default",
}
_PAGES = 1000
CONNECTIONS = 64
"""Kept open: eight subscriptions are collected at a time, with eight threads each."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Connection:
    """One tenant's cloud: where its Resource Manager answers, and the identity that reads and writes it."""

    tenant: str
    endpoint: str
    credential: TokenCredential


class StaticToken:
    """A credential that is a ready token, as the sandbox cloud takes."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - the SDK's protocol
        """The token; whoever gave it knows how long it lives."""
        return AccessToken(self._token, int(time.time()) + 3600)


class Arm:
    """Reads and clients over one pipeline, safe for several threads. A call that hangs ends after `timeout` seconds."""

    def __init__(self, connection: Connection, *, sleep: Callable[[float], None], timeout: float) -> None:
        self.endpoint = connection.endpoint.rstrip("/")
        self._credential = connection.credential
        self._pipeline: Any = Pipeline(
            RequestsTransport(session=_session(), connection_timeout=min(timeout, 5.0), read_timeout=timeout),
            [
                RequestIdPolicy(),
                UserAgentPolicy("policycortex"),
                Patience(sleep),
                Quota(sleep),
                ContentDecodePolicy(),
                Authentication(connection.credential, _scope(self.endpoint), endpoint=self.endpoint),
            ],
        )
        self._versions: dict[str, tuple[float, Mapping[str, Sequence[str]]]] = {}
        self._clients: dict[str, ResourceManagementClient] = {}
        self._lock = threading.Lock()
        self.graph = ResourceGraphClient(**self._client_options())
        self.subscriptions = SubscriptionClient(**self._client_options())
        self.groups = ManagementGroupsMgmtClient(**self._client_options())

    def _client_options(self) -> dict[str, Any]:
        return {"credential": self._credential, "base_url": self.endpoint, "pipeline": self._pipeline}

    def resources(self, subscription: str) -> ResourceManagementClient:
        """The SDK's client of resources, groups and providers of one subscription."""
        with self._lock:
            if subscription not in self._clients:
                options = self._client_options()
                self._clients[subscription] = ResourceManagementClient(subscription_id=subscription, **options)
            return self._clients[subscription]

    def get(self, path: str, api_version: str) -> Json:
        """The JSON object at a path: a resource by id, or a list under one."""
        with refusal.translated(path):
            client: Any = self.resources("-").resources
            return cast("Json", client.get_by_id(checked(path).lstrip("/"), api_version=api_version, cls=raw))

    def find(self, path: str, api_version: str) -> Json | None:
        """As `get`; None when there is nothing at the path."""
        try:
            return self.get(path, api_version)
        except NotFound:
            return None

    def items(self, path: str, api_version: str) -> Iterator[Json]:
        """All objects of a list, page after page; what answers one resource instead of a list yields that one."""
        body = self.get(path, api_version)
        if isinstance(body, dict) and not isinstance(body.get("value"), list):
            yield body
            return
        yield from self._pages(path, body)

    def listed(self, path: str, api_version: str, query: Mapping[str, str]) -> Iterator[Json]:
        """All objects of a list that takes further query parameters, page after page.

        Errors: Unavailable when the pages are no list, or lead in a circle.
        """
        link = f"{checked(path)}?{urlencode({'api-version': api_version, **query})}"
        yield from self._pages(path, self._follow(path, link))

    def _pages(self, path: str, body: Any) -> Iterator[Json]:  # noqa: ANN401 - any JSON
        """The objects of a page, and of the pages that it leads to."""
        links: set[str] = set()
        while True:
            if not isinstance(body, dict) or not isinstance(body.get("value"), list):
                raise Unavailable(f"a page of the list at {path} holds no list", retry_after=60.0)
            yield from (item for item in body["value"] if isinstance(item, dict))
            link = str(body.get("nextLink") or "")
            if not link:
                return
            if link in links:
                raise Unavailable(f"the list at {path} leads to a page that it has given before", retry_after=60.0)
            if len(links) == _PAGES:
                raise Unavailable(f"the list at {path} has more than {_PAGES} pages", retry_after=60.0)
            links.add(link)
            body = self._follow(path, link)

    def _follow(self, path: str, link: str) -> Any:  # noqa: ANN401 - any JSON
        with refusal.translated(path):
            answer = self.resources("-").send_request(HttpRequest("GET", link))
            answer.raise_for_status()
            return answer.json()

    def api_version(self, kind: str, subscription: str, *, now: float) -> str | None:
        """The newest api-version of a type that is no preview, from the provider; None when it is not known there."""
        namespace, _, name = kind.lower().partition("/")
        read_at, known = self._versions.get(namespace, (now - 2 * _DAY, {}))
        if now - read_at > _DAY:
            known = self._provider(namespace, subscription)
            self._versions[namespace] = (now, known)
        versions = known.get(name, ())
        return max(versions, key=_preference, default=None)

    def _provider(self, namespace: str, subscription: str) -> Mapping[str, Sequence[str]]:
        try:
            with refusal.translated(f"/subscriptions/{subscription}/providers/{namespace}"):
                found = self.resources(subscription).providers.get(namespace)
        except NotFound:
            return {}
        kinds = found.resource_types or ()
        return {str(kind.resource_type).lower(): tuple(kind.api_versions or ()) for kind in kinds}

    def close(self) -> None:
        """Close the connections."""
        self._pipeline.__exit__()


def _session() -> Session:
    """Room for a connection of every thread; the default keeps ten and closes the others after each call."""
    session = Session()
    once = Retry(total=False, redirect=False, raise_on_status=False)  # Patience decides on what is sent again
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS, max_retries=once))
    return session


def raw(response: Any, _typed: object, _headers: object) -> Any:  # noqa: ANN401 - the SDK's callback
    """The answer as JSON: the SDK's models would hide what they do not know."""
    return response.http_response.json()


def checked(path: str) -> str:
    """The path, when it can only mean a path; InvalidInput for one that could reach another address."""
    if not _ID.fullmatch(path) or "//" in path or "/../" in f"{path}/":
        raise InvalidInput(f"{path[:200]!r} is not a resource id", path="resourceId")
    return path


def _scope(endpoint: str) -> str:
    host = endpoint.partition("://")[2].partition("/")[0]
    return _SCOPES.get(host, "https://management.azure.com/.default")


def _preference(version: str) -> tuple[bool, str]:
    return "-" not in version[10:], version
