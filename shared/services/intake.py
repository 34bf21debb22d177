"""Takes in inventories that other tools exported: every record becomes a resource, or a reason why it could not.

Taken: `az resource list` and `az graph query` JSON, Resource Graph REST pages and tables, ARM bodies and list pages,
exported ARM templates, and JSON lines or any sequence of these; gzip too.
"""

import hashlib
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.domain.decoding import decode
from shared.domain.error import CortexError, TooLarge
from shared.domain.inventory import BadRecord
from shared.domain.notation import Unreadable
from shared.domain.resource import Resource, Unread, type_of
from shared.engine.context import Context
from shared.engine.error import EvaluationError
from shared.engine.template import expand_template
from shared.services.decompression import Source, chunks
from shared.services.splitter import Format, Piece, Splitter

Found = Iterator[Resource | BadRecord]

_SEGMENT = r"[^/\x00-\x1f\x7f?#\\]+"
_ID = re.compile(rf"/(?:subscriptions|providers)/{_SEGMENT}(?:/{_SEGMENT})*")
_LONGEST_ID = 2048
_COLUMNS = frozenset({"tenantId", "resourceGroup", "subscriptionId"})
"""What Resource Graph and the command line add to a body."""
_LISTED = frozenset({Format.LIST, Format.GRAPH_PAGE, Format.GRAPH_TABLE, Format.ARM_PAGE})
MOST_BAD = 100_000
"""Bad records after which a file is given up: each costs as much as a good one and says less."""
_WHETHER = frozenset({"name", "type", "condition", "copy.count"})
"""Parts of a resource in a template without which it is not known that there is one."""
_NOT_COLLECTED = {"properties": Unread("notCollected")}


def records(
    source: Source,
    *,
    subscription: str | None = None,
    resource_group: str | None = None,
    resource_types: Iterable[Mapping[str, Any]] = (),
) -> Iterator[Resource | BadRecord]:
    """Everything in the file, in its order, as it is read; memory is bounded by the longest record.

    `subscription` and `resource_group` say where an exported template is from. Rows of `resource_types` (as
    `Catalog.resource_types` gives them) spell the types that Resource Graph writes in lower case.

    Raises:
        TooLarge: the file is too large, a decompression bomb, or holds almost nothing but bad records; what came
            before was given.
    """
    reader = Reader(subscription, resource_group, resource_types)
    seen, bad = _Ids(), 0
    for record in texts(source):
        for found in reader.read(record):
            if isinstance(found, Resource) and seen.add(found.id.lower()):
                yield found
                continue
            bad += 1
            yield found if isinstance(found, BadRecord) else record.bad(f"{found.id} was in the file before", "$.id")
        if bad > MOST_BAD:
            raise TooLarge(f"the file has more than {MOST_BAD} bad records: it is not an inventory")


class Record(NamedTuple):
    """The text of one record and its number in the file, from 1."""

    number: int
    piece: Piece

    def bad(self, reason: str, path: str = "$") -> BadRecord:
        """Why it is left out."""
        offset, line = self.piece.offset, self.piece.line
        return BadRecord(position=self.number, line=line, offset=offset, path=path, reason=reason[:1000])


def texts(source: Source) -> Iterator[Record]:
    """The records as they stand in the file; what they hold is for a `Reader` to say, in another process maybe."""
    return (Record(number, piece) for number, piece in enumerate(Splitter(chunks(source)), 1))


class Reader:
    """Reads the text of records, each on its own. `draft`: bodies need no id yet, as in what is still to be made."""

    def __init__(
        self,
        subscription: str | None = None,
        resource_group: str | None = None,
        resource_types: Iterable[Mapping[str, Any]] = (),
        *,
        draft: bool = False,
    ) -> None:
        self._draft = draft
        self._context = _context(subscription, resource_group)
        self._spelling = {str(row["type"]).lower(): str(row["type"]) for row in resource_types}

    def read(self, record: Record) -> Found:
        """The resources of a record: one, except for templates, whose resources hold others."""
        if record.piece.reason:
            yield record.bad(record.piece.reason)
            return
        try:
            value = decode(record.piece.text)
        except Unreadable as error:
            yield record.bad(error.reason, error.path or "$")
            return
        yield from self._found(record, value)

    def _found(self, record: Record, value: Any) -> Found:  # noqa: ANN401 - any JSON
        read = _READERS.get(record.piece.format, _plain)
        try:
            for resource in read(record.piece, value, self._context):
                fault = None if self._draft and "id" not in resource.body else _misplaced(resource.body)
                fault = fault or _fault(resource.body)
                yield self._spelled(resource) if fault is None else record.bad(*fault)
        except (CortexError, EvaluationError, ValueError, TypeError, KeyError, AttributeError) as error:
            yield record.bad(getattr(error, "message", None) or f"not understood: {error}")

    def _spelled(self, resource: Resource) -> Resource:
        kind = resource.type
        container = type_of(resource.id) if "/providers/" not in resource.id else None
        spelled = container or self._spelling.get(kind.lower(), kind)
        if spelled == kind:
            return resource
        body = {**resource.body, "type": spelled}
        return Resource(body, resource.api_version, resource.collected_at, resource.unread, resource.related)


def _misplaced(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a body is nowhere in Azure, and where that is told."""
    identity = body.get("id")
    if not isinstance(identity, str) or not identity:
        return "there is no id", "$.id"
    if len(identity) > _LONGEST_ID or not _ID.fullmatch(identity.rstrip("/")) or not type_of(identity):
        return f"{identity[:200]!r} is not the id of an Azure resource", "$.id"
    return None


def _fault(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Why a body is no resource, and where."""
    kind = body.get("type")
    if not isinstance(kind, str) or not kind:
        return "there is no type", "$.type"
    if "/" not in kind:
        return f"{kind[:200]!r} is not a resource type", "$.type"
    return _members(body)


def _members(body: Mapping[str, Any]) -> tuple[str, str] | None:
    for name in ("properties", "tags", "sku", "identity"):
        if not isinstance(body.get(name), Mapping | None):
            return f"{name} is not an object", f"$.{name}"
    return None


def _plain(piece: Piece, value: Any, _context: Context) -> Iterator[Resource]:  # noqa: ANN401 - any JSON
    if not isinstance(value, Mapping):
        raise TypeError("the record is not an object")
    if "id" not in value:
        yield _enveloped(value)
        return
    listed = piece.format in _LISTED or not _COLUMNS.isdisjoint(value)
    yield _resource(value, listed=listed)


def _enveloped(value: Mapping[str, Any]) -> Resource:
    """A body within a record that says more of it, as the product's own stored form does; else what is there."""
    if isinstance(value.get("body"), Mapping):
        return Resource.from_record(value)
    inner = value.get("resource")
    return Resource(inner, value.get("apiVersion")) if isinstance(inner, Mapping) else Resource(value)


def _resource(value: Mapping[str, Any], *, listed: bool) -> Resource:
    """A body as ARM would answer it. A list that leaves the properties out says nothing of them."""
    if not listed:
        return Resource(value)
    body = {name: each for name, each in value.items() if name not in _COLUMNS and each is not None and each != ""}
    return Resource(body, unread={} if "properties" in body else _NOT_COLLECTED)


def _row(piece: Piece, value: Any, _context: Context) -> Iterator[Resource]:  # noqa: ANN401 - any JSON
    """A row of a table, whose columns the container names."""
    columns = [column["name"] for column in piece.head["columns"]]
    if not isinstance(value, list) or len(value) != len(columns):
        raise TypeError(f"the row does not have the {len(columns)} values of the columns")
    yield _resource(dict(zip(columns, value, strict=True)), listed=True)


def _deployed(piece: Piece, value: Any, context: Context) -> Iterator[Resource]:  # noqa: ANN401 - any JSON
    """The resources that an exported template would deploy: one with its children."""
    declared = {name: piece.head[name] for name in ("parameters", "variables") if piece.head.get(name)}
    for found in expand_template({**declared, "resources": [value]}, context=context):
        unknown = found.get("unknown", {})
        for part, why in unknown.items():
            if part in _WHETHER or "['" in part:
                raise ValueError(f"{part} is {why}")
        if "id" not in found:
            raise ValueError(
                "a template does not say where its resources are: name the subscription and resource group"
            )
        unread = {part.partition("[")[0]: Unread("notCollected") for part in unknown}
        yield Resource({"id": found["id"], **found["body"]}, found["apiVersion"], unread=unread)


_READERS: Mapping[Format, Callable[[Piece, Any, Context], Iterator[Resource]]] = {
    Format.GRAPH_TABLE: _row,
    Format.TEMPLATE: _deployed,
}


def _context(subscription: str | None, resource_group: str | None) -> Context:
    if subscription is None:
        return Context()
    scope = f"/subscriptions/{subscription}"
    group = {"id": f"{scope}/resourceGroups/{resource_group}", "name": resource_group} if resource_group else None
    return Context(subscription={"id": scope, "subscriptionId": subscription}, resource_group=group)


class _Ids:
    """The ids seen so far, as digests in an open-addressed table: 12-24 bytes each, for files of millions."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << 10))
        self._used = 0

    def add(self, identity: str) -> bool:
        """Whether it is new."""
        digest = int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest()) or 1
        slot = self._slot(digest)
        if self._slots[slot] == digest:
            return False
        self._slots[slot] = digest
        self._used += 1
        if self._used * 3 > len(self._slots) * 2:
            self._grow()
        return True

    def _slot(self, digest: int) -> int:
        mask = len(self._slots) - 1
        slot = digest & mask
        while self._slots[slot] not in {0, digest}:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        before, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        for digest in before:
            if digest:
                self._slots[self._slot(digest)] = digest
