"""Children and extensions of a page's resources: from Resource Graph where it lists them, else from ARM in parallel.

Resource Graph says in one call which children all resources of a page have. What it does not say proves nothing: it
lags, and leaves out what may not be read. So ARM is asked about each resource that it has no children of.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import batched, count
from typing import Any

from shared.adapters.azure import arm_error, graph, resource_body
from shared.adapters.azure.arm import Arm
from shared.adapters.azure.resource_type import ResourceTypes
from shared.domain.arm_id import subscription_of
from shared.domain.error import CortexError, Forbidden, InvalidInput, Malformed, NotFound, Throttled, Unavailable
from shared.domain.inventory import Gap, UnreadReason
from shared.domain.resource import Resource, Unread
from shared.domain.timestamp import format_time
from shared.ports.clock import Now
from shared.ports.inventory import RelatedTypes

READ_THREADS = 8
TYPE_SECONDS = 60.0
"""Seconds that one type may take on one page before the rest of it is given up."""
TIMEOUT_CALLS = 3
"""Calls without an answer after which a type is given up: a hanging provider must not hold up the rest."""

RelatedResources = tuple[Resource, ...] | Unread
_Children = dict[tuple[str, str], list[Resource]]
"""Lower-case id of the parent and type -> its children, at least one."""


@dataclass(frozen=True, slots=True)
class ResourceFamily:
    """A resource with its relatives, and those of them that are resources of the listing in their own right."""

    resource: Resource
    extras: tuple[Resource, ...] = ()


@dataclass
class UnreadParts:
    """Collects what could not be read on a page, each kind once with its scopes. Safe for several threads."""

    now: Now
    _seen: dict[tuple[str, str, str | None, str | None], list[str]] = field(default_factory=dict)
    _messages: dict[tuple[str, str, str | None, str | None], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, part: str, why: Unread, role: str | None, message: str) -> None:
        """Record one part of one resource."""
        key = (part, why.reason, why.permission, role)
        with self._lock:
            self._seen.setdefault(key, []).append(why.scope or "")
            self._messages.setdefault(key, message)

    def gaps(self) -> list[Gap]:
        """Summarize as one gap for each kind; its scope is the resource, or the subscription when there are several."""
        gaps = []
        for key, scopes in sorted(self._seen.items(), key=str):
            part, reason, permission, role = key
            alone = len(scopes) == 1
            message = self._messages[key]
            gap = Gap(
                scope=scopes[0] if alone else f"/subscriptions/{subscription_of(scopes[0])}",
                part=part,
                reason=UnreadReason(reason),
                permission=permission,
                role=role,
                at=self.now(),
                message=message if alone else f"under {len(scopes)} resources; the first: {message}",
            )
            gaps.append(gap)
        return gaps


class RelatedReader:
    """Reads the relatives of one page's resources. `hung` types are not read again; new ones are added to it."""

    def __init__(
        self,
        arm: Arm,
        types: ResourceTypes,
        wanted: RelatedTypes,
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
        self._timeouts: Counter[str] = Counter()
        self._unknown: dict[str, arm_error.ArmRequestRejected] = {}
        self.hung = set(hung)
        self.misses = UnreadParts(now)
        self.stop: Throttled | None = None
        self._calls = count()
        self._children: _Children = {}

    @property
    def calls(self) -> int:
        """Return how many resources and lists were asked for; to be read once, when that is done."""
        return next(self._calls)

    def families(self, resources: Sequence[Resource]) -> list[ResourceFamily]:
        """Return the families of the first resources: of all, or of those before the cloud asked for a long wait.

        Raises:
            Throttled: not even the first could be completed.
        """
        self._children = self._listed_children(resources)
        # Only those of which something is read: to hand the others over would cost more than they do.
        with ThreadPoolExecutor(READ_THREADS, thread_name_prefix="inventory") as pool:
            read = iter(list(pool.map(self._family_or_stop, filter(self._leads_on, resources))))
        done = [next(read) if self._leads_on(each) else ResourceFamily(each) for each in resources]
        # Families are in the order of the resources: what follows a stopped one is read again with the next page.
        complete = done.index(None) if None in done else len(done)
        if resources and not complete and self.stop:
            raise self.stop
        return [family for family in done[:complete] if family is not None]

    def _leads_on(self, resource: Resource) -> bool:
        """Return whether anything is read of a resource, or listed under it."""
        kind = resource.type.lower()
        return kind in self._wanted or kind in self._under

    def _family_or_stop(self, resource: Resource) -> ResourceFamily | None:
        if self.stop is not None:
            return None
        try:
            return self.family(resource)
        except Throttled as error:
            self.stop = error
            return None

    def family(self, resource: Resource) -> ResourceFamily:
        """Read all that is wanted of a resource, and of what belongs to it."""
        kind = resource.type.lower()
        whole = self._whole(resource)
        related = {each: self.listing(whole, each) for each in sorted(self._wanted.get(kind, ()))}
        extras: list[Resource] = []
        for each in self._under.get(kind, ()):
            # Listed once, also where it is wanted and leads on to further types.
            found = related[each] if each in related else self.listing(whole, each)
            for child in () if isinstance(found, Unread) else found:
                family = self.family(child)
                extras += [family.resource] if each in self._wanted else []
                extras += family.extras
        return ResourceFamily(replace(whole, related=related) if related else whole, tuple(extras))

    def _whole(self, resource: Resource) -> Resource:
        """Read the properties of a resource, which Resource Graph does not hold for every type."""
        if "properties" not in resource.unread or resource.type.lower() not in self._wanted:
            return resource
        found = self._read(resource.type, resource.id, lambda version: self._arm.find(resource.id, version))
        if isinstance(found, Unread):
            return replace(resource, unread={"properties": found})
        body, version = found
        whole = self._types.body(resource.type, body) if body else resource.body
        return replace(resource, body=whole, api_version=version, unread={})

    def _listed_children(self, resources: Sequence[Resource]) -> _Children:
        """Read the children of these resources that Resource Graph lists, some parents at a time.

        Throttled passes through; for what else goes wrong, ARM is asked.
        """
        children: _Children = {}
        owned: defaultdict[str, list[str]] = defaultdict(list)
        for each in resources:
            owned[each.type.lower()].append(each.id)
        for parent, owners in owned.items():
            kinds = self._wanted.get(parent, frozenset())
            # For one resource, its own list is one call as well, and never lags.
            if len(owners) > 1:
                for kind in (each for each in sorted(kinds) if self._types.is_listed_child(each, parent)):
                    for some in batched(owners, graph.QUERY_IDS, strict=False):
                        children |= self._children_of(some, kind)
        return children

    def _children_of(self, owners: Sequence[str], kind: str) -> _Children:
        children: _Children = {}
        query, subscription = graph.children_query(kind, owners), subscription_of(owners[0])
        try:
            for page in graph.pages(self._arm, subscription, query, size=graph.PAGE_ROWS):
                next(self._calls)
                if page.bad or not page.whole:
                    return {}
                for row in page.rows:
                    body = resource_body.listed(row, self._types[kind].type)
                    # In the spelling of the row, which may be another one than the owner's.
                    owner = body["id"].lower().rpartition(f"/{kind.rpartition('/')[2]}/")[0]
                    children.setdefault((owner, kind), []).append(
                        resource_body.resource(body, None, format_time(self._now()))
                    )
        except (InvalidInput, Forbidden, Unavailable):
            return {}
        return children

    def listing(self, parent: Resource, kind: str) -> RelatedResources:
        """List the resources of a type under a parent, or say why they could not be read."""
        if found := self._children.get((parent.id.lower(), kind)):
            return tuple(found)
        return self._arm_listing(parent, kind)

    def _arm_listing(self, parent: Resource, kind: str) -> RelatedResources:
        path = parent.id + self._types.list_path(parent.type, kind)
        found = self._read(kind, parent.id, lambda version: self._items(path, version))
        if isinstance(found, Unread):
            return found
        bodies, version = found
        resources = [
            resource_body.resource(self._types.body(kind, body), version, format_time(self._now())) for body in bodies
        ]
        # Some providers list several types under one path.
        return tuple(each for each in resources if each.type.lower() == kind.lower())

    def _items(self, path: str, version: str) -> list[dict[str, Any]]:
        try:
            return list(self._arm.items(path, version))
        except NotFound:
            return []

    def _read[T](self, kind: str, scope: str, call: Callable[[str], T]) -> tuple[T, str] | Unread:
        """Return the answer of a call and its api-version, or why there is none; Throttled passes through."""
        # The time of a type starts with its first call on the page, not with the page.
        # Nor does it include what calls waited for their turn: a full budget does not make a provider slow.
        since = self._since.setdefault(kind, self._clock() - self._arm.waited)
        if self._clock() - self._arm.waited - since > TYPE_SECONDS:
            self.hung.add(kind)
        if kind in self.hung:
            return self._miss(
                kind, scope, Unavailable("the type was given up, because its provider did not answer in time")
            )
        if kind in self._unknown:
            return self._miss(kind, scope, self._unknown[kind])
        try:
            return self._call(kind, scope, call)
        except (InvalidInput, Forbidden, Unavailable) as error:
            return self._miss(kind, scope, error)

    def found(self, kind: str, resource_id: str) -> tuple[dict[str, Any] | None, str]:
        """Return a resource's body, None when it does not exist, and the api-version it was read with."""
        return self._call(kind, resource_id, lambda version: self._arm.find(resource_id, version))

    def _call[T](self, kind: str, scope: str, call: Callable[[str], T]) -> tuple[T, str]:
        """Return the answer of a call and its api-version: the table's, or the newest that the type's provider has."""
        version = self._types[kind].api_version or self._known_version(kind, scope)
        next(self._calls)  # counted by one instruction, whatever the threads do
        try:
            return call(version), version
        except arm_error.ArmRequestRejected as error:
            if not error.codes & arm_error.UNKNOWN_VERSION:
                raise
        # The table is older than the cloud: the provider says which api-version it knows.
        version = self._known_version(kind, scope)
        return call(version), version

    def _known_version(self, kind: str, scope: str) -> str:
        version = self._arm.api_version(kind, subscription_of(scope), now=self._clock())
        if version is None:
            raise arm_error.ArmRequestRejected(
                f"the cloud knows no api-version of {kind}", codes=frozenset({"UnknownType"})
            )
        return version

    def _miss(self, kind: str, scope: str, error: CortexError) -> Unread:
        row = self._types[kind]
        reason = _reason(error)
        if reason is UnreadReason.TIMEOUT:
            self._timeouts[kind] += 1
            if self._timeouts[kind] >= TIMEOUT_CALLS:
                self.hung.add(kind)
        # The cloud does not have the type at all: the other resources of the page need not be tried.
        if isinstance(error, arm_error.ArmRequestRejected) and error.codes & arm_error.UNKNOWN_TYPE:
            self._unknown[kind] = error
        permission = role = None
        if reason is UnreadReason.FORBIDDEN:
            named = str(getattr(error, "permission", None) or row.action)
            # ARM's messages spell actions in any case; the type's own is shown as the table has it.
            permission = row.action if named.lower() == row.action.lower() else named
            role = row.role or "Reader"
        why = Unread(reason.value, permission=permission, scope=scope, at=format_time(self._now()))
        self.misses.add(row.type, why, role, error.message)
        return why


def _reason(error: CortexError) -> UnreadReason:
    if isinstance(error, Forbidden):
        return UnreadReason.FORBIDDEN
    if isinstance(error, Malformed):
        return UnreadReason.FAILED
    return UnreadReason.TIMEOUT if isinstance(error, Unavailable) else UnreadReason.UNSUPPORTED
