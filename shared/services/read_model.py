"""Read what is stored, as models: the one place where the caller's tenant and scope are applied.

What belongs to a subscription is returned when the caller is a reader of it; all else needs a reader of the whole
tenant.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import islice
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from shared.domain.error import Damaged, InvalidInput, NotFound
from shared.domain.event import Event, Recorded
from shared.domain.identity import Role
from shared.domain.model import Model, internal_members
from shared.domain.page import Page, PageRequest
from shared.eventstore import stream
from shared.eventstore.store import Store
from shared.eventstore.stream import Stream
from shared.ports.documents import Document, DocumentBody, Query
from shared.services.version_cache import VersionCache

PAGE_EVENTS = 200
"""Events that are read at once."""
SUBSCRIPTION_FIELD = "subscription"
_MODELS = VersionCache[Model](2048)
"""Things as lists have them."""
_TEXTS = VersionCache[bytes](128)
"""Single things as JSON, such as the summary, which is read often."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadModel[T: Model]:
    """Names a kind of document, the model it is read as, and the members that a list leaves to the single thing."""

    kind: str
    model: type[T]
    left_out: frozenset[str] = frozenset()
    in_subscription: bool = False

    def read_listed(self, body: DocumentBody) -> T:
        """Read a document for a list, without what a list leaves out; Damaged."""
        hidden = self._left_out
        return self.read({name: value for name, value in body.items() if name not in hidden} if hidden else body)

    @cached_property
    def _left_out(self) -> frozenset[str]:
        return frozenset(map(to_camel, self.left_out))

    def read(self, body: DocumentBody) -> T:
        """Read a document; members that a newer version of the app has added are ignored.

        Raises:
            Damaged: the document is not what the model says.
        """
        try:
            return self.model.model_validate(body, extra="ignore")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Damaged(f"a stored {self.kind} cannot be read: {where}: {first['msg']}") from error


@dataclass(frozen=True)
class Stored[T: Model]:
    """Holds one thing as it was stored; the model is made when it is first used."""

    document: Document
    load: Callable[[DocumentBody], T]
    remember: Callable[[str, Callable[[], bytes]], bytes] = lambda _, make: make()

    @property
    def body(self) -> DocumentBody:
        """Return what is stored; Damaged."""
        return self.document.body

    @cached_property
    def model(self) -> T:
        """Read the thing; Damaged."""
        return self.load(self.body)

    def json(self, without: Collection[str] = ()) -> bytes:
        """Return the thing as JSON, without some of its members, and those that are internal."""

        def make() -> bytes:
            return self.model.model_dump_json(exclude={*without, *internal_members(type(self.model))}).encode()

        return self.remember(",".join(sorted(without)), make)


def get[T: Model](read_model: ReadModel[T], id_: str, *, store: Store) -> Stored[T]:
    """Find a thing that the caller may see; NotFound, also for ids that nothing can have."""
    found = find(read_model, id_, store=store)
    if found is None:
        raise NotFound(f"there is no {read_model.kind} {id_[:80]}", path="id")
    return found


def find[T: Model](read_model: ReadModel[T], id_: str, *, store: Store) -> Stored[T] | None:
    """Find a thing that the caller may see; None when there is none."""
    allowed = _allowed(read_model, store)
    try:
        found = store.documents.get(tenant=store.tenant, kind=read_model.kind, id=id_)
    # An id that no store can hold is not found, like any other that does not exist.
    except InvalidInput:
        return None
    if found is None or (allowed is not None and found.body.get(SUBSCRIPTION_FIELD) not in allowed):
        return None
    place = store.tenant, read_model.kind, found.id
    return Stored(
        found, read_model.read, lambda without, make: _TEXTS.get(store.documents, (*place, without), found.etag, make)
    )


def page[T: Model](read_model: ReadModel[T], query: Query, asked: PageRequest, *, store: Store) -> Page[T]:
    """List a page of what matches and the caller may see. A thing that cannot be read is left out, and logged."""
    return page_of_part(read_model, _narrowed(read_model, query, store), asked, store=store)


def count(read_model: ReadModel[Any], query: Query, *, store: Store, by: str | None = None) -> dict[str, int]:
    """Count what matches and the caller may see, as `Documents.count` does."""
    narrowed = _narrowed(read_model, query, store)
    return store.documents.count(tenant=store.tenant, kind=read_model.kind, query=narrowed, by=by)


def page_of_part[T: Model](read_model: ReadModel[T], query: Query, asked: PageRequest, *, store: Store) -> Page[T]:
    """List a page of what belongs to a thing that the caller was found to see; as `page` otherwise."""
    kind, tenant = read_model.kind, store.tenant
    found = store.documents.query(tenant=tenant, kind=kind, query=query, limit=asked.limit, cursor=asked.cursor)
    total = store.documents.count(tenant=tenant, kind=kind, query=query).get("", 0) if asked.total else None
    items: list[T] = []
    for each in found.items:
        # The model's name is in the key: one document is read as several models.
        place = tenant, kind, each.id, read_model.model.__name__
        try:
            model: Any = _MODELS.get(store.documents, place, each.etag, partial(read_model.read_listed, each.body))
            items.append(model)
        except Damaged as error:
            _LOG.error("%s %s is left out of a list: %s", kind, each.id, error.message)
    return Page[T](items=tuple(items), next_cursor=found.cursor, total=total)


def events_after(
    read_model: ReadModel[Any], kind: Stream[Any, Any], id_: str, after: int, *, active: Collection[str], store: Store
) -> tuple[Sequence[Recorded[Event]], bool]:
    """Return what happened to a thing after a sequence, at most 200 events, and whether there will be no more.

    `active` are the statuses in which more can still happen. Errors: NotFound.
    """
    status = get(read_model, id_, store=store).body["status"]
    found = list(islice(stream.read(kind, id_, store=store, after=after), PAGE_EVENTS))
    return found, status not in active and len(found) < PAGE_EVENTS


def conditions(asked: PageRequest, *excluded: str) -> dict[str, Any]:
    """Return the conditions of a request, by stored member; several values of one mean any of them.

    `excluded` names members that are not conditions.
    """
    given = asked.model_dump(mode="json", exclude={*PageRequest.model_fields, *excluded}, exclude_none=True)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value != []}


def _narrowed(read_model: ReadModel[Any], query: Query, store: Store) -> Query:
    """Return the query within what the caller may see."""
    allowed = _allowed(read_model, store)
    if allowed is None:
        return query
    wanted = query.equals.get(SUBSCRIPTION_FIELD)
    # What the caller asks for can only narrow what the caller may see, never widen it.
    named = allowed if wanted is None else allowed & set(wanted if isinstance(wanted, tuple) else (wanted,))
    return replace(query, equals={**query.equals, SUBSCRIPTION_FIELD: tuple(sorted(named))})


def _allowed(read_model: ReadModel[Any], store: Store) -> frozenset[str] | None:
    """Return the subscriptions that the caller may see, None for all; Forbidden for what only the whole tenant sees."""
    if not read_model.in_subscription:
        store.caller.require_tenant(Role.READER)
        return None
    return store.caller.subscriptions(Role.READER)
