"""Documents in one Cosmos DB container."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Any

import orjson
from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey

from shared.adapters import probe
from shared.adapters.azure.connection import make_thread_safe
from shared.adapters.azure.key import group_names, indexing_policy, item_id, partition
from shared.adapters.azure.login import credential
from shared.adapters.azure.query import CosmosQuery
from shared.adapters.azure.request_unit import RequestUnitCounter, ResponseHook
from shared.adapters.azure.storage_error import Contended, translate
from shared.adapters.closing import Closing
from shared.adapters.listing import check_limit, check_query, count_by_value, page, read_cursor
from shared.adapters.record import check_field, encode, encode_group, encode_many
from shared.domain.error import AlreadyExists, InvalidInput, ItemsRejected, NotFound, Stale, TooLarge, Unavailable
from shared.ports.documents import Document, DocumentBody, DocumentPage, Query

_CONTAINER = "documents"
_WRITE_THREADS = 8
_RETRY_OPTIONS = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 3, "retry_backoff_max": 5}
_WRITE_ATTEMPTS = 100
_MARKED_GROUPS = 100_000
_CONTENTION_RETRY_SECONDS = (0.01, 0.05, 0.25)
"""Waits before a write is tried again that was in conflict with another one; the SDK for Python does not retry."""


def _retry_contended[**P, R](write: Callable[P, R]) -> Callable[P, R]:
    """Try a write again while it is in conflict with another one (449, "Retry With": nothing was done)."""

    @wraps(write)
    def trying(*args: P.args, **given: P.kwargs) -> R:
        for wait in _CONTENTION_RETRY_SECONDS:
            try:
                return write(*args, **given)
            except Contended:
                time.sleep(wait)
        return write(*args, **given)

    return trying


class CosmosDocuments(Closing):
    """Keeps the `Documents` port in Cosmos DB, one partition for each tenant and kind, or tenant, kind and group.

    With a `key` the database and container are made on first use; with a managed identity, which may not, they have
    to be there (`indexing_policy` in key.py tells how the container is indexed). Numbers are doubles: integers beyond
    2**53 lose their last digits.

    A process reads its own writes. At session consistency another process may not see them for a moment: whoever gets
    an id in a message and finds nothing must try again, and not conclude that it is gone. Accounts with one region and
    bounded staleness or strong consistency do not show this.
    Source: Azure Cosmos DB, "Consistency levels in Azure Cosmos DB".
    """

    def __init__(
        self,
        endpoint: str,
        database: str,
        *,
        key: str | None = None,
        identity: TokenCredential | None = None,
        indexes: Mapping[str, Sequence[str]] | None = None,
        **options: Any,  # noqa: ANN401 - the SDK client's own
    ) -> None:
        self._endpoint = endpoint
        self._database = database
        self._key = key
        self._identity = identity
        self._indexes = indexes or {}
        # Text goes out as UTF-8, so that what is counted is what is sent: escapes take three times as much.
        self._options = {**_RETRY_OPTIONS, "enable_compact_utf8_item_writes": True, **options}
        self._charges = RequestUnitCounter()
        self._marked: set[str] = set()
        self._opening = threading.Lock()
        self._opened: tuple[CosmosClient, ContainerProxy] | None = None

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._opening:
            if self._opened:
                self._opened[0].close()
            self._opened = None

    def check(self) -> None:
        """See `Documents.check`."""
        probe.documents(self)

    def request_units(self) -> dict[str, dict[str, float]]:
        """See `Documents.request_units`."""
        return self._charges.spent()

    def get(self, *, tenant: str, kind: str, id: str) -> Document | None:
        """See `Documents.get`; about one request unit for a kilobyte."""
        try:
            with self._calling("get", f"{kind} '{id}'") as hook:
                item = self._container.read_item(item_id(id), partition(tenant, kind), response_hook=hook)
        except NotFound:
            return None
        return _document(item)

    def get_many(self, *, tenant: str, kind: str, ids: Sequence[str]) -> dict[str, Document]:
        """See `Documents.get_many`."""
        place = partition(tenant, kind)
        wanted = [(item_id(id_), place) for id_ in dict.fromkeys(ids)]
        if not wanted:
            return {}
        with self._calling("get_many", f"{len(wanted)} of {kind}") as hook:
            items = self._container.read_items(wanted)
            hook(items.get_response_headers(), None)
        return {document.id: document for document in map(_document, items)}

    @_retry_contended
    def put(self, *, tenant: str, kind: str, id: str, body: DocumentBody, if_match: str | None = None) -> Document:
        """See `Documents.put`."""
        item = _item(partition(tenant, kind), id, encode(body))
        with self._calling("put", f"{kind} '{id}'") as hook:
            if if_match is None:
                return _document(self._container.upsert_item(item, response_hook=hook))
            return _document(
                self._container.replace_item(
                    item["id"], item, etag=if_match, match_condition=MatchConditions.IfNotModified, response_hook=hook
                )
            )

    @_retry_contended
    def create(self, *, tenant: str, kind: str, id: str, body: DocumentBody) -> Document:
        """See `Documents.create`."""
        item = _item(partition(tenant, kind), id, encode(body))
        with self._calling("create", f"{kind} '{id}'") as hook:
            return _document(self._container.create_item(item, response_hook=hook))

    def put_many(
        self, *, tenant: str, kind: str, items: Mapping[str, DocumentBody], newer_by: str | None = None
    ) -> None:
        """See `Documents.put_many`; eight at a time."""
        place = partition(tenant, kind)
        if newer_by is not None:
            check_field(newer_by, path="newer_by")
        encoded, refused = encode_many(items)

        def write(id_: str) -> None:
            item = _item(place, id_, encoded[id_])
            try:
                if newer_by is None:
                    self._upsert(kind, item)
                else:
                    self._put_newer(tenant, kind, item, newer_by)
            except (InvalidInput, TooLarge) as error:
                refused[id_] = error

        with ThreadPoolExecutor(_WRITE_THREADS) as pool:
            # Consumed, because errors of the threads are raised only here.
            for _ in pool.map(write, encoded):
                pass
        if refused:
            raise ItemsRejected(refused)

    @_retry_contended
    def _upsert(self, kind: str, item: dict[str, Any]) -> None:
        with self._calling("put_many", f"{kind} '{item['key']}'") as hook:
            self._container.upsert_item(item, no_response=True, response_hook=hook)

    def _put_newer(self, tenant: str, kind: str, item: dict[str, Any], field: str) -> None:
        """Write unless what is stored is as new: read, compare, write on condition; again if another was first."""
        where = {"tenant": tenant, "kind": kind, "id": item["key"]}
        for _ in range(_WRITE_ATTEMPTS):
            stored = self.get(**where)
            try:
                if stored is None:
                    self.create(**where, body=item["body"])
                    return
                old, new = stored.body.get(field), item["body"].get(field)
                # What is stored gives way when it has no number, or a smaller one.
                if old is None or (isinstance(old, int) and isinstance(new, int) and old < new):
                    self.put(**where, body=item["body"], if_match=stored.etag)
            except (AlreadyExists, NotFound, Stale):
                continue
            return
        raise Unavailable(f"{kind} '{item['key']}' changes too often to be written", retry_after=1)

    @_retry_contended
    def create_all(self, *, tenant: str, kind: str, group: str, items: Mapping[str, DocumentBody]) -> None:
        """See `Documents.create_all`. A group whose first creation failed may be listed all the same."""
        place = partition(tenant, kind, group)
        operations = [("create", (_item(place, id_, data),)) for id_, data in encode_group(items).items()]
        if not operations:
            return
        # The marker first: a group without one would never be listed, and a marker without documents does no harm.
        self._mark(tenant, kind, group)
        with self._calling("create_all", f"one of {', '.join(items)} in {kind} '{group}'") as hook:
            self._container.execute_item_batch(operations, place, response_hook=hook)

    def _mark(self, tenant: str, kind: str, group: str) -> None:
        """Leave the group's name where `groups` finds it; once is enough."""
        marker = _item(group_names(tenant, kind), group, b"{}")
        name = f"{marker['pk']}{group}"
        if name in self._marked:
            return
        try:
            with self._calling("create_all", f"the name of {kind} '{group}'") as hook:
                self._container.create_item(marker, no_response=True, response_hook=hook)
        except AlreadyExists:
            pass
        if len(self._marked) >= _MARKED_GROUPS:
            # Forgetting all is cheap: a marker that is written once more costs one request.
            self._marked.clear()
        self._marked.add(name)

    def get_group(
        self, *, tenant: str, kind: str, group: str, after: str = "", limit: int = 1000
    ) -> Sequence[Document]:
        """See `Documents.get_group`."""
        check_limit(limit)
        clause = CosmosQuery(partition(tenant, kind, group))
        query = Query(after=after)
        check_query(query)
        clause.add(query)
        return [_document(item) for item in self._ask("get_group", clause, clause.page(query, limit))]

    def groups(self, *, tenant: str, kind: str) -> Sequence[str]:
        """See `Documents.groups`."""
        clause = CosmosQuery(group_names(tenant, kind))
        return sorted(item["v"] for item in self._ask("groups", clause, clause.names()))

    @_retry_contended
    def delete(self, *, tenant: str, kind: str, id: str, if_match: str | None = None) -> None:
        """See `Documents.delete`."""
        condition = MatchConditions.IfNotModified if if_match else None
        try:
            with self._calling("delete", f"{kind} '{id}'") as hook:
                self._container.delete_item(
                    item_id(id), partition(tenant, kind), etag=if_match, match_condition=condition, response_hook=hook
                )
        except NotFound:
            return

    def query(
        self, *, tenant: str, kind: str, query: Query, limit: int = 50, cursor: str | None = None
    ) -> DocumentPage:
        """See `Documents.query`."""
        check_limit(limit)
        check_query(query, orders=self._indexes.get(kind, ()))
        position = read_cursor(tenant, kind, query, cursor)
        clause = CosmosQuery(partition(tenant, kind))
        clause.add(query)
        if position:
            clause.resume(query, position)
        items = [_document(item) for item in self._ask("query", clause, clause.page(query, limit + 1))]
        return page(tenant, kind, query, items, limit)

    def count(self, *, tenant: str, kind: str, query: Query, by: str | None = None) -> dict[str, int]:
        """See `Documents.count`; `by` reads the field of every match, so keep sums that are shown often."""
        check_query(query, by=by)
        clause = CosmosQuery(partition(tenant, kind))
        clause.add(query)
        if by is None:
            return {"": sum(self._ask("count", clause, clause.count()))}
        return count_by_value((item.get("v"), 1) for item in self._ask("count", clause, clause.values(by)))

    def _ask(self, operation: str, clause: CosmosQuery, text: str) -> list[Any]:
        with self._calling(operation, f"the listing of {clause.partition}") as hook:
            return list(
                self._container.query_items(
                    text, parameters=clause.parameters, partition_key=clause.partition, response_hook=hook
                )
            )

    @contextlib.contextmanager
    def _calling(self, operation: str, what: str) -> Iterator[ResponseHook]:
        """Count what the calls inside cost, failed ones too, and raise the product's errors."""
        try:
            yield self._charges.hook(operation)
        except AzureError as error:
            self._charges.add(operation, getattr(error, "headers", None) or {})
            raise translate(error, what) from error

    @property
    def _container(self) -> ContainerProxy:
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
            return self._opened[1]

    def _open(self) -> tuple[CosmosClient, ContainerProxy]:
        identity = self._key or self._identity or credential()
        client = make_thread_safe(CosmosClient(self._endpoint, identity, **self._options))
        # A managed identity has a data role only, which cannot create databases or containers.
        if not self._key:
            return client, client.get_database_client(self._database).get_container_client(_CONTAINER)
        database = client.create_database_if_not_exists(self._database)
        policy = indexing_policy(self._indexes)
        return client, database.create_container_if_not_exists(_CONTAINER, PartitionKey("/pk"), indexing_policy=policy)


def _item(place: str, id_: str, data: bytes) -> dict[str, Any]:
    return {"id": item_id(id_), "pk": place, "key": id_, "body": orjson.loads(data)}


def _document(item: Mapping[str, Any]) -> Document:
    return Document(item["key"], item["body"], item["_etag"])
