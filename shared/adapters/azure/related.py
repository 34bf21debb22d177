"""What belongs to a page of resources: children and extensions that Resource Graph lacks, read from ARM in parallel."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from shared.adapters.azure import refusal
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.resource_type import ResourceType, ResourceTypes
from shared.domain.error import CortexError, Forbidden, InvalidInput, NotFound, Throttled, Unavailable
from shared.domain.inventory import Gap, Reason
from shared.domain.resource import Resource, Unread, subscription_of
from shared.ports.clock import Now
from shared.ports.inventory import Wanted

THREADS = 8
TYPE_BUDGET = 60.0
"""Seconds that one type may take on one page before the rest of it is given up."""
LATE_LIMIT = 3
"""Unanswered calls after which a type is given up: a hanging provider must not hold up the rest."""

Found = tuple[Resource, ...] | Unread


@dataclass(frozen=True, slots=True)
class Family:
    """A resource with its relatives, and those of them that are resources of the listing in their own right."""

    resource: Resource
    extras: tuple[Resource, ...] = ()


@dataclass
class Misses:
    """What could not be read on a page, each kind once with the scopes it concerns. Safe for several threads."""

    now: Now
    _seen: dict[tuple[str, str, str | None, str | None], list[str]] = field(default_factory=dict)
    _messages: dict[tuple[str, str, str | None, str | None], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: str, why: Unread, role: str | None, message: str) -> None:
        """Note one part of one resource."""
        key = (part, why.reason, why.permission, role)
        with self._lock:
            self._seen.setdefault(key, []).append(why.scope or "")
            self._messages.setdefault(key, message)

    def gaps(self) -> list[Gap]:
        """One gap for each kind; its scope is the resource, or the subscription when there are several."""
        return [self._gap(key, scopes) for key, scopes in sorted(self._seen.items(), key=str)]

    def _gap(self, key: tuple[str, str, str | None, str | None], scopes: Sequence[str]) -> Gap:
        part, reason, permission, role = key
        alone = len(scopes) == 1
        message = self._messages[key]
        return Gap(
            scope=scopes[0] if alone else f"/subscriptions/{subscription_of(scopes[0])}",
            part=part,
            reason=Reason(reason),
            permission=permission,
            role=role,
            at=self.now(),
            message=message if alone else f"under {len(scopes)} resources; the first: {message}",
        )


class Relatives:
    """Reads the relatives of one page's resources. `hung` types are not asked again; new ones are added to it."""

    def __init__(
        self,
        arm: Arm,
        types: ResourceTypes,
        wanted: Wanted,
        *,
        now: Now,
        clock: Callable[[], float] = time.monotonic,
        hung: Iterable[str] = (),
    ) -> None:
        self._arm = arm
        self._types = types
        self._wanted = wanted
        self._under = types.listed_under(wanted)
        self._now = now
        self._clock = clock
        self._since: dict[str, float] = {}
        self._lates: dict[str, int] = {}
        self._unknown: dict[str, refusal.Refused] = {}
        self.hung = set(hung)
        self.misses = Misses(now)
        self.stop: Throttled | None = None

    def families(self, resources: Sequence[Resource]) -> list[Family]:
        """The families of the first resources: of all, or of those before the cloud asked for a long wait.

        Raises:
            Throttled: not even the first could be completed.
        """
        with ThreadPoolExecutor(THREADS, thread_name_prefix="inventory") as pool:
            done = list(pool.map(self._family_or_stop, resources))
        complete = done.index(None) if None in done else len(done)
        if resources and not complete and self.stop:
            raise self.stop
        return [family for family in done[:complete] if family is not None]

    def _family_or_stop(self, resource: Resource) -> Family | None:
        if self.stop is not None:
            return None
        try:
            return self.family(resource)
        except Throttled as error:
            self.stop = error
            return None

    def family(self, resource: Resource) -> Family:
        """A resource with all that is wanted of it."""
        kind = resource.type.lower()
        whole = self._whole(resource)
        related = {each: self.listing(whole, each) for each in sorted(self._wanted.get(kind, ()))}
        extras: list[Resource] = []
        for each in self._under.get(kind, ()):
            found = related[each] if each in related else self.listing(whole, each)
            for child in () if isinstance(found, Unread) else found:
                family = self.family(child)
                extras += [family.resource] if each in self._wanted else []
                extras += family.extras
        return Family(replace(whole, related=related) if related else whole, tuple(extras))

    def _whole(self, resource: Resource) -> Resource:
        """The resource with its properties, which Resource Graph does not hold for every type."""
        if "properties" not in resource.unread or resource.type.lower() not in self._wanted:
            return resource
        found = self._read(resource.type, resource.id, lambda version: self._arm.find(resource.id, version))
        if isinstance(found, Unread):
            return replace(resource, unread={"properties": found})
        body, version = found
        return replace(resource, body=body or resource.body, api_version=version, unread={})

    def listing(self, parent: Resource, kind: str) -> Found:
        """The resources of a type under a parent, or why they could not be read."""
        path = parent.id + self._types.list_path(parent.type, kind)
        found = self._read(kind, parent.id, lambda version: self._items(path, version))
        if isinstance(found, Unread):
            return found
        bodies, version = found
        resources = (self._resource(body, kind, version) for body in bodies if body.get("id"))
        return tuple(each for each in resources if each.type.lower() == kind.lower())

    def _items(self, path: str, version: str) -> list[dict[str, Any]]:
        try:
            return list(self._arm.items(path, version))
        except NotFound:
            return []

    def _resource(self, body: Mapping[str, Any], kind: str, version: str) -> Resource:
        at = self._now().isoformat().replace("+00:00", "Z")
        typed = {**body, "type": self._types.spelled(kind, body)}
        unread = {} if "properties" in body else {"properties": Unread(Reason.NOT_COLLECTED.value, at=at)}
        return Resource(typed, version, at, unread)

    def _read[T](self, kind: str, scope: str, call: Callable[[str], T]) -> tuple[T, str] | Unread:
        """The answer of a call and its api-version, or why there is none; Throttled passes through."""
        if self._is_over(kind):
            return self._miss(kind, scope, Unavailable("the type was given up after it did not answer in time"))
        if kind in self._unknown:
            return self._miss(kind, scope, self._unknown[kind])
        try:
            version = self._version(kind, scope)
            return call(version), version
        except refusal.Refused as error:
            return (
                self._again(kind, scope, call)
                if error.codes & refusal.UNKNOWN_VERSION
                else self._miss(kind, scope, error)
            )
        except (InvalidInput, Forbidden, Unavailable) as error:
            return self._miss(kind, scope, error)

    def _again[T](self, kind: str, scope: str, call: Callable[[str], T]) -> tuple[T, str] | Unread:
        """Once more, with the api-version that the provider says it knows."""
        try:
            version = self._known_version(kind, scope)
            return call(version), version
        except (InvalidInput, Forbidden, Unavailable) as error:
            return self._miss(kind, scope, error)

    def found(self, kind: str, resource_id: str) -> tuple[dict[str, Any] | None, str]:
        """A resource's body, None when it does not exist, and the api-version it was read with."""
        version = self._version(kind, resource_id)
        try:
            return self._arm.find(resource_id, version), version
        except refusal.Refused as error:
            if not error.codes & refusal.UNKNOWN_VERSION:
                raise
        version = self._known_version(kind, resource_id)
        return self._arm.find(resource_id, version), version

    def _version(self, kind: str, scope: str) -> str:
        """The api-version to read a type with: the table's, or the newest that its provider has."""
        return self._types[kind].api_version or self._known_version(kind, scope)

    def _known_version(self, kind: str, scope: str) -> str:
        version = self._arm.api_version(kind, subscription_of(scope), now=self._clock())
        if version is None:
            raise refusal.Refused(f"the cloud knows no api-version of {kind}", codes=frozenset({"UnknownType"}))
        return version

    def _is_over(self, kind: str) -> bool:
        since = self._since.setdefault(kind, self._clock())
        if self._clock() - since > TYPE_BUDGET:
            self.hung.add(kind)
        return kind in self.hung

    def _miss(self, kind: str, scope: str, error: CortexError) -> Unread:
        row = self._types[kind]
        reason = _reason(error)
        if reason is Reason.TIMEOUT:
            self._late(kind)
        if isinstance(error, refusal.Refused) and error.codes & refusal.UNKNOWN_TYPE:
            self._unknown[kind] = error
        forbidden = reason is Reason.FORBIDDEN
        why = Unread(
            reason.value,
            permission=_action(error, row) if forbidden else None,
            scope=scope,
            at=self._now().isoformat().replace("+00:00", "Z"),
        )
        self.misses.add(row.type, why, (row.role or "Reader") if forbidden else None, error.message)
        return why

    def _late(self, kind: str) -> None:
        self._lates[kind] = self._lates.get(kind, 0) + 1
        if self._lates[kind] >= LATE_LIMIT:
            self.hung.add(kind)


def _action(error: CortexError, row: ResourceType) -> str:
    """The action that is missing, as the table spells it when it is the type's own."""
    named = getattr(error, "permission", None) or row.action
    return row.action if named.lower() == row.action.lower() else str(named)


def _reason(error: CortexError) -> Reason:
    if isinstance(error, Forbidden):
        return Reason.FORBIDDEN
    return Reason.TIMEOUT if isinstance(error, Unavailable) else Reason.UNSUPPORTED
