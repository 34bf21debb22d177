"""What every trigger needs to call a service: the ports, a store on somebody's behalf, the compiled policies."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from shared import bootstrap
from shared.bootstrap import Ports
from shared.domain.error import CortexError
from shared.domain.identity import Caller
from shared.eventstore import tenant as registry
from shared.eventstore.store import Store
from shared.services.installation import heartbeat
from shared.services.message import MessageBody
from shared.services.policy import effective_policy
from shared.services.policy.effective_policy import EffectivePolicies

logger = logging.getLogger(__name__)


ActivityResult = dict[str, Any]


class ActivityInput(dict[str, Any]):
    """The input of an activity; a class, because the worker accepts no `dict[str, …]` as the type of a binding."""


def ports() -> Ports:
    """Return the ports of this process."""
    return bootstrap.ports()


def system_store(tenant: str, correlation: str) -> Store:
    """Return the store of a tenant, for work that the product does by itself."""
    given = ports()
    return Store(
        documents=given.documents,
        blobs=given.blobs,
        now=given.now,
        caller=Caller.system(tenant),
        correlation=correlation,
    )


def for_each_tenant(correlation: str, work: Callable[[Store], object]) -> None:
    """Do a timer's work for every tenant; an error of one is logged, and the others are served.

    `correlation` is the name of the timer's function, under which its run is recorded.
    """
    record_heartbeat(correlation)
    for tenant in registry.listed(documents=ports().documents, configured=bootstrap.settings().tenant):
        with log_errors(correlation, tenant):
            work(system_store(tenant, correlation))


def record_heartbeat(name: str) -> None:
    """Record that a timer ran or an event came; when that fails, log it and go on."""
    try:
        heartbeat.beat(name, documents=ports().documents, at=ports().now())
    except CortexError as error:
        logger.warning("the run of %s could not be recorded: %s", name, error)


@contextmanager
def log_errors(what: str, tenant: str) -> Iterator[None]:
    """Log an error in one part of a timer's work, so that the others go on."""
    try:
        yield
    except Exception:
        logger.exception("%s failed for tenant %s; the other tenants are served", what, tenant)


def store_for(given: Mapping[str, Any]) -> Store:
    """Return the store for a workflow's input: {"tenant", "correlation", …}."""
    return system_store(given["tenant"], given["correlation"])


def parse_message(body: bytes) -> MessageBody:
    """Parse a queue message; a ValidationError sends it to the poison queue with its reason."""
    return MessageBody.model_validate_json(body)


def policies(store: Store) -> EffectivePolicies:
    """Return the policies in force for the store's tenant, compiled once."""
    return effective_policy.in_force(store, ports().catalog)
