"""The way to Azure Resource Manager: one pipeline per tenant, which all the SDK's clients share."""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.pipeline import Pipeline
from azure.core.pipeline.policies import RequestIdPolicy, UserAgentPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.resource.resources import ResourceManagementClient

from shared.adapters.azure import arm_error, response_validation
from shared.adapters.azure.decoding import JsonDecodingPolicy
from shared.adapters.azure.retry_policy import ArmRetryPolicy, AuthenticationPolicy, CallBudgetPolicy, QuotaPolicy
from shared.adapters.azure.transport import BoundedTransport
from shared.domain.error import InvalidInput, Malformed, NotFound
from shared.domain.resource import JsonObject
from shared.ports.call_budget import CallBudget

_ID = re.compile(r"/[\w.\-()/ @:~!$&'*+,;=]{1,2047}")
"""Letters and digits of any alphabet: resource groups and many resources may have them in their names."""
_KEPT = "/()@:~!$&'*+,;="
"""What an id may have in an address as it is; the rest goes percent-encoded (RFC 3986, 3.3)."""
_SCOPE = "https://management.azure.com/.default"
_SCOPES = {
    "management.usgovcloudapi.net": "https://management.core.usgovcloudapi.net/.default",
    "management.chinacloudapi.cn": "https://management.chinacloudapi.cn/.default",
}
_LIST_PAGES = 1000
LIST_SECONDS = 60.0
"""Seconds that all pages of one list may take together."""
PROVIDER_VERSION = "2021-04-01"
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class ArmConnection:
    """One tenant's cloud: the address of its Resource Manager, and the identity that reads and writes it.

    All who call it share the `budget`; without one, calls are sent until the cloud refuses some.
    """

    tenant: str
    endpoint: str
    credential: TokenCredential
    budget: CallBudget | None = None


class StaticToken:
    """A credential that is a ready token, as the sandbox cloud takes."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:  # noqa: ANN401 - the SDK's protocol
        """Return the token; whoever gave it knows how long it lives."""
        return AccessToken(self._token, int(time.time()) + 3600)


class Arm:
    """Reads and clients over one pipeline, safe for several threads. A call that hangs ends after `timeout` seconds."""

    def __init__(self, connection: ArmConnection, *, sleep: Callable[[float], None], timeout: float) -> None:
        self.endpoint = connection.endpoint.rstrip("/")
        self._credential = connection.credential
        host = self.endpoint.partition("://")[2].partition("/")[0]
        self._turns = CallBudgetPolicy(connection.budget, sleep) if connection.budget else None
        self._pipeline: Any = Pipeline(
            BoundedTransport(connect_seconds=min(timeout, 5.0), read_seconds=timeout),
            [
                RequestIdPolicy(),
                UserAgentPolicy("policycortex"),
                ArmRetryPolicy(sleep),
                QuotaPolicy(sleep),
                JsonDecodingPolicy(),
                AuthenticationPolicy(connection.credential, _SCOPES.get(host, _SCOPE), endpoint=self.endpoint),
                *([self._turns] if self._turns else []),
            ],
        )
        self._versions: dict[str, tuple[float, Mapping[str, Sequence[str]]]] = {}
        self._clients: dict[str, ResourceManagementClient] = {}
        self._lock = threading.Lock()

    @property
    def waited(self) -> float:
        """Return the seconds that calls have waited for their turn in the budget, of all threads together."""
        return self._turns.waited if self._turns else 0.0

    def resources(self, subscription: str) -> ResourceManagementClient:
        """Return the SDK's client of resources, groups and providers of one subscription."""
        with self._lock:
            if subscription not in self._clients:
                options = {"credential": self._credential, "base_url": self.endpoint, "pipeline": self._pipeline}
                self._clients[subscription] = ResourceManagementClient(subscription_id=subscription, **options)
            return self._clients[subscription]

    def get(self, path: str, api_version: str) -> JsonObject:
        """Return the resource with this id."""
        return response_validation.resource(self.ask(checked(path), api_version), path)

    def ask(
        self, path: str, api_version: str, query: Mapping[str, str] | None = None, body: JsonObject | None = None
    ) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON response to a GET, or to a POST that only reads where there is a `body`."""
        link = f"{quote(path, safe=_KEPT)}?{urlencode({'api-version': api_version, **(query or {})})}"
        return self._ask(path, HttpRequest("GET" if body is None else "POST", self.endpoint + link, json=body))

    def _ask(self, path: str, request: HttpRequest) -> Any:  # noqa: ANN401 - any JSON
        with arm_error.error_translation(path):
            answer = self._pipeline.run(request, stream=False)
            answer.http_response.raise_for_status()
        # Other successes, such as 202, hold no resource yet.
        if answer.http_response.status_code != HTTPStatus.OK:
            raise Malformed(f"the cloud answered {path} with status {answer.http_response.status_code} instead of 200")
        return answer.context.get(JsonDecodingPolicy.CONTEXT_NAME)

    def find(self, path: str, api_version: str) -> JsonObject | None:
        """Return the resource with this id; None when there is none."""
        try:
            return self.get(path, api_version)
        except NotFound:
            return None

    def items(self, path: str, api_version: str) -> Iterator[JsonObject]:
        """Yield all objects of a list, page after page; what answers one resource instead of a list yields that one."""
        body = self.ask(checked(path), api_version)
        if isinstance(body, dict) and "value" not in body:
            yield response_validation.resource(body, path)
            return
        yield from (response_validation.resource(each, path) for each in self._pages(path, body))

    def listed(self, path: str, api_version: str, query: Mapping[str, str]) -> Iterator[JsonObject]:
        """Yield all objects of a list that takes further query parameters, page after page.

        Errors: Malformed when a page is not a list, or the pages lead in a circle, to another address, or do not end.
        """
        yield from self._pages(path, self.ask(checked(path), api_version, query))

    def _pages(self, path: str, body: Any) -> Iterator[JsonObject]:  # noqa: ANN401 - any JSON
        """Yield the objects of a page, and of the pages that it leads to."""
        # Pages of a broken or hostile service may lead in a circle or never end: both are bounded.
        links: set[str] = set()
        until = time.monotonic() + LIST_SECONDS - self.waited
        while True:
            found, link = response_validation.page(body, path)
            yield from found
            if not link:
                return
            if link in links:
                raise Malformed(f"the list at {path} leads to a page that was read before")
            if len(links) == _LIST_PAGES or time.monotonic() > until + self.waited:
                raise Malformed(f"the list at {path} did not end after {len(links) + 1} pages")
            links.add(link)
            body = self._ask(path, HttpRequest("GET", link))

    def api_version(self, kind: str, subscription: str, *, now: float) -> str | None:
        """Find the newest api-version of a type, previews last; None when the provider does not know the type."""
        namespace, _, name = kind.lower().partition("/")
        read_at, known = self._versions.get(namespace, (now - 2 * _DAY_SECONDS, {}))
        if now - read_at > _DAY_SECONDS:
            known = self._provider(namespace, subscription)
            self._versions[namespace] = (now, known)
        versions = known.get(name, ())
        return max(versions, key=lambda version: ("-" not in version[10:], version), default=None)  # 2024-01-01-preview

    def _provider(self, namespace: str, subscription: str) -> Mapping[str, Sequence[str]]:
        try:
            path = f"/subscriptions/{subscription}/providers/{namespace}"
            kinds = response_validation.mapping(self.ask(checked(path), PROVIDER_VERSION), path).get("resourceTypes")
        except NotFound:
            return {}
        known = [each for each in kinds or () if isinstance(each, dict)] if isinstance(kinds, list) else []
        return {
            str(each.get("resourceType")).lower(): tuple(text for text in versions if isinstance(text, str))
            for each in known
            if isinstance(versions := each.get("apiVersions"), list)
        }

    def close(self) -> None:
        """Close the connections."""
        # The pipeline has no other way to close.
        self._pipeline.__exit__()


def raw(response: Any, _typed: object, _headers: object) -> Any:  # noqa: ANN401 - the SDK's callback
    """Return the answer as JSON: the SDK's models would hide what they do not know."""
    return response.http_response.json()


def checked(path: str) -> str:
    """Check a path; InvalidInput when it could reach anything but a resource under the endpoint."""
    # The path is appended to the endpoint: '//', '..' or a '?' in it could lead to another host or resource.
    if not _ID.fullmatch(path) or "//" in path or "/../" in f"{path}/":
        raise InvalidInput(f"{path[:200]!r} is not a resource id", path="resourceId")
    return path
