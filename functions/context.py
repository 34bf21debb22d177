"""What every door needs to call a service: the ports, a store on somebody's behalf, the compiled policies."""

from collections.abc import Mapping
from typing import Any

from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.event import SYSTEM, Actor
from shared.services import policy
from shared.services.estate import Store
from shared.services.message import Message
from shared.services.policy import Book


class Given(dict[str, Any]):
    """What a workflow hands to an activity; a class, because the worker takes no `dict[str, …]` for a binding."""


def ports() -> Ports:
    """The ports of this process."""
    return bootstrap.ports()


def tenant() -> str:
    """The tenant that timers work for."""
    return bootstrap.tenant()


def store(tenant: str, correlation: str, name: str = SYSTEM) -> Store:
    """The store of a tenant, on behalf of a person or the system."""
    given = ports()
    return Store(
        documents=given.documents,
        blobs=given.blobs,
        now=given.now,
        tenant=tenant,
        actor=Actor(name=name, correlation=correlation),
    )


def store_for(given: Mapping[str, Any]) -> Store:
    """The store for a workflow's input: {"tenant", "correlation", …}."""
    return store(given["tenant"], given["correlation"])


def read(body: bytes) -> Message:
    """A queue message; InvalidInput (a ValueError of pydantic) sends it to the poison queue with its reason."""
    return Message.model_validate_json(body)


def book(store: Store) -> Book:
    """The policies in force for the store's tenant, compiled once."""
    return policy.book_for(store, ports().catalog)
