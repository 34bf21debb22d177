"""Read inventories that other tools exported: every record becomes a resource, or a reason why it could not.

Taken: `az resource list` and `az graph query` JSON, Resource Graph REST pages and tables, ARM bodies and list pages,
exported ARM templates, what PowerShell makes of resources, and JSON lines or any sequence of these; gzip too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from shared.domain.arm_id import SUBSCRIPTION_TYPE, subscription_of, type_of
from shared.domain.error import CortexError, InvalidInput, TooLarge
from shared.domain.import_job import ImportOrigin
from shared.domain.inventory import RecordError
from shared.domain.json_text import Unreadable
from shared.domain.jsonc import read_record
from shared.domain.resource import Json, Resource, Unread
from shared.engine.error import EvaluationError
from shared.importing import hint, powershell
from shared.importing.decompression import ByteSource, decompress
from shared.importing.page_tracker import PageTracker
from shared.importing.record_scanner import RecordScanner
from shared.importing.record_text import RecordFormat, RecordText
from shared.importing.seen_ids import SeenIds
from shared.importing.template import PARAMETERS_PATH, deployed_resources

ReadResult = Iterator[Resource | RecordError]

_SEGMENT = r"[^/\x00-\x1f\x7f?#\\]+"
_ID = re.compile(rf"/(?:subscriptions|providers)/{_SEGMENT}(?:/{_SEGMENT})*", re.IGNORECASE)
_ID_WITHOUT_SLASH = ("subscriptions/", "providers/")
_ID_CHARACTERS = 2048
_SUBSCRIPTION_CHARACTERS = 64
"""Characters; names of streams and documents are made of it, and stores take 255."""
_GRAPH_COLUMNS = frozenset({"tenantId", "resourceGroup", "subscriptionId"})
"""What Resource Graph and the command line add to a body."""
_LIST_FORMATS = frozenset({RecordFormat.LIST, RecordFormat.GRAPH_PAGE, RecordFormat.GRAPH_TABLE, RecordFormat.ARM_PAGE})
BATCH_BYTES = 32 * 1024 * 1024
"""Text of the records that are held at once, but for the last one."""
BAD_RECORDS = 100_000
"""Bad records after which a file is rejected: each costs as much as a good one and says less."""
BARE_RECORDS = 1000
"""Resources without properties that wait for their whole body, which may come later in the file."""
NO_ORIGIN = ImportOrigin()
_NOT_COLLECTED = {"properties": Unread("notCollected")}


class InventoryReader:
    """Reads a file once, from its beginning to its end; memory is bounded by its longest record and 24 bytes an id.

    `origin` says where an exported template is from. Rows of `resource_types` (as
    `Catalog.resource_types` gives them) spell the types that Resource Graph writes in lower case. `kept` and `bad`
    count what was given so far: resources, each with another id, and records that are none. `read` counts the file's
    own records, of which some yield nothing and others many; `renewed` the resources that were given again, with the
    properties that they had not. `ended` says that there is nothing more to be given.
    """

    def __init__(
        self,
        source: ByteSource,
        *,
        origin: ImportOrigin = NO_ORIGIN,
        resource_types: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self._reader = RecordReader(origin, resource_types)
        self._scanner = RecordScanner(decompress(source))
        self._records = _numbered(self._scanner)
        self._given: list[RecordPosition] = []
        self._whole, self._poor = SeenIds(), SeenIds()
        self._bare: dict[str, PlacedResult] = {}
        self._failure: TooLarge | None = None
        self.kept = self.bad = self.read = self.renewed = self._repeated = self._without_properties = 0
        self.ended = self._flattened = False

    @property
    def position(self) -> int:
        """Return how many results were given so far."""
        return self.kept + self.renewed + self.bad

    @property
    def incomplete_reason(self) -> str:
        """Return why not all records of the file were read, which the scanner counts for itself; "" when all were."""
        if self._scanner.ended and self.read == self._scanner.count:
            return ""
        there = f"the {self._scanner.count} records found" if self._scanner.ended else "an unknown number of records"
        return f"{self.read} of {there} in the file were read"

    @property
    def poor(self) -> str:
        """Return how many resources so far came without properties, and what gives them; "" when none did.

        And how many records without properties were not needed, as the file has the whole resources too.
        """
        repeated = f"{self._repeated} records without properties repeat resources of the file" if self._repeated else ""
        bare = hint.without_properties(self._without_properties, self.kept, flattened=self._flattened)
        return "; ".join(filter(None, (bare, repeated)))

    @property
    def missing(self) -> str:
        """Return which pages of a list the file lacks, and how to get them; "" when none is missing."""
        return self._scanner.pages.missing

    def bad_at(self, index: int, reason: str) -> RecordError:
        """Return an error for what the last batch has at an index."""
        return self._given[index].bad(reason)

    def batch(self, size: int) -> list[Resource | RecordError]:
        """Return what is next in the file's order: at least `size`, fewer of large ones or at its end.

        Resources without properties come later. Whether there is more is for `ended` to say.

        Raises:
            TooLarge: the file is too large, a decompression bomb, or holds almost nothing but bad records; raised
                once all that came before was given.
        """
        found: list[PlacedResult] = []
        room = BATCH_BYTES
        while len(found) < size and room > 0:
            record = self._next()
            if record is None:
                found += map(self._kept, self._bare.values())
                self._bare.clear()
                break
            before = len(found)
            for each in self._reader.read(record):
                found += self._settled(each, record)
            self.read += 1
            room -= len(record.piece.text) if len(found) > before else 0  # of what yields nothing, nothing is held
        if not found and self._failure is not None:
            raise self._failure
        self._given = [place for _, place in found]
        return [each for each, _ in found]

    def _next(self) -> "InventoryRecord | None":
        if self._failure is not None:
            return None
        if self.bad > BAD_RECORDS:
            self._failure = TooLarge(f"the file has more than {BAD_RECORDS} bad records: it is not an inventory")
            return None
        try:
            record = next(self._records, None)
        except TooLarge as error:
            self._failure = error
            return None
        self.ended = record is None
        return record

    def _settled(self, found: Resource | RecordError, record: "InventoryRecord") -> "Iterator[PlacedResult]":
        """Yield what is certain now. A resource without properties waits, as its whole body may come later."""
        key = found.id.lower() if isinstance(found, Resource) else ""
        if isinstance(found, RecordError):
            self.bad += 1
            yield found, record.place
        elif "properties" in found.unread:
            yield from self._poorer(key, found, record)
        elif not self._whole.add(key):
            self.bad += 1
            yield record.bad(f"{key} is in the file twice", "$.id"), record.place
        elif key not in self._poor or self._bare.pop(key, None) is not None:
            yield self._kept((found, record.place))
        else:  # it waited as long as it could, and was given without its properties
            self.renewed += 1
            self._without_properties -= 1
            yield found, record.place

    def _poorer(self, key: str, found: Resource, record: "InventoryRecord") -> "Iterator[PlacedResult]":
        """Let a resource without properties wait, unless the file had it before, and yield one that waited longest."""
        if key in self._whole or not self._poor.add(key):
            self._repeated += 1
            return
        self._bare[key] = (found, record.place)
        if len(self._bare) > BARE_RECORDS:
            yield self._kept(self._bare.pop(next(iter(self._bare))))

    def _kept(self, found: "PlacedResult") -> "PlacedResult":
        self.kept += 1
        resource, _ = found
        if isinstance(resource, Resource) and "properties" in resource.unread:
            self._without_properties += 1
            self._flattened = self._flattened or hint.is_flattened(resource.body)
        return found


def read_resources(
    source: ByteSource,
    *,
    resource_types: Iterable[Mapping[str, Any]] = (),
    **origin: Any,  # noqa: ANN401 - the members of `ImportOrigin`
) -> Iterator[Resource | RecordError]:
    """Yield everything in the file, in its order, as it is read; see `InventoryReader`."""
    reader = InventoryReader(source, origin=ImportOrigin(**origin), resource_types=resource_types)
    while not reader.ended:
        yield from reader.batch(1)


class RecordPosition(NamedTuple):
    """Where a record is: its number in the file and that of its line, from 1, and its offset in bytes."""

    number: int
    line: int
    offset: int

    def bad(self, reason: str, path: str = "$") -> RecordError:
        """Make the error for this record."""
        return RecordError(position=self.number, line=self.line, offset=self.offset, path=path, reason=reason[:1000])


type PlacedResult = tuple[Resource | RecordError, RecordPosition]


class InventoryRecord(NamedTuple):
    """The text of one record and its number in the file, from 1. `file` names the file where there are several."""

    number: int
    piece: RecordText
    file: str = ""

    @property
    def place(self) -> RecordPosition:
        """Return the position of the record."""
        return RecordPosition(self.number, self.piece.line, self.piece.offset)

    def bad(self, reason: str, path: str = "$") -> RecordError:
        """Make the error for this record."""
        return self.place.bad(reason, path)


def scan_records(source: ByteSource, pages: PageTracker | None = None) -> Iterator[InventoryRecord]:
    """Yield the records as they stand in the file; a `RecordReader` reads what they hold, perhaps in another process.

    `pages` records the pages of lists in the file.
    """
    return _numbered(RecordScanner(decompress(source), pages))


def _numbered(pieces: Iterable[RecordText]) -> Iterator[InventoryRecord]:
    return (InventoryRecord(number, piece) for number, piece in enumerate(pieces, 1))


class RecordReader:
    """Reads the text of records, each on its own. `draft`: bodies need no id yet, as in what is still to be made."""

    def __init__(
        self,
        origin: ImportOrigin = NO_ORIGIN,
        resource_types: Iterable[Mapping[str, Any]] = (),
        *,
        draft: bool = False,
    ) -> None:
        self._draft = draft
        self._origin = origin
        self._spelling = {str(row["type"]).lower(): str(row["type"]) for row in resource_types}

    def read(self, record: InventoryRecord) -> ReadResult:
        """Yield the resources of a record: one, except for templates, whose resources hold others."""
        if record.piece.reason:
            yield record.bad(record.piece.reason)
            return
        try:
            value = read_record(record.piece.text)
        except Unreadable as error:
            # Lines are counted in the record, which may begin anywhere in the file.
            placed = record.place._replace(line=record.place.line + error.line - 1)
            yield placed.bad(error.wrong, error.path or "$")
            return
        try:
            for read in self._resources(record.piece, value):
                resource = _typed(read, self._origin.api_version)
                problem = None if self._draft and "id" not in resource.body else _id_problem(resource.body)
                problem = problem or _resource_problem(resource.body)
                yield self._spelled(resource) if problem is None else _unusable(record, value, *problem)
        except (CortexError, EvaluationError, ValueError, TypeError, KeyError, AttributeError) as error:
            # Other paths are within what a template expands to, and not within the record.
            path = PARAMETERS_PATH if getattr(error, "path", None) == PARAMETERS_PATH else "$"
            yield record.bad(getattr(error, "message", None) or f"not understood: {error}", path)

    def _resources(self, piece: RecordText, value: Any) -> Iterator[Resource]:  # noqa: ANN401 - any JSON
        if piece.format == RecordFormat.TEMPLATE:
            if seems := hint.seems_record(None, piece.head):
                raise InvalidInput(f"this seems to be {seems}")
            return deployed_resources(piece.head, value, self._origin, draft=self._draft)
        return iter((_row(piece, value) if piece.format == RecordFormat.GRAPH_TABLE else _plain(piece, value),))

    def _spelled(self, resource: Resource) -> Resource:
        kind = resource.type
        # The id decides: some answers of Azure name the parent's type, and containers have no provider in their ids.
        named = type_of(resource.id) or kind
        same = "/providers/" in resource.id and named.lower() == kind.lower()
        spelled = self._spelling.get(named.lower(), kind if same else named)
        if spelled == kind:
            return resource
        body = {**resource.body, "type": spelled}
        return Resource(body, resource.api_version, resource.collected_at, resource.unread, resource.related)


def _typed(resource: Resource, api_version: str | None) -> Resource:
    """Return the resource with the type that its id names, where the body leaves it out, and with its api-version."""
    if resource.id.startswith(_ID_WITHOUT_SLASH):  # as some providers answer, Microsoft.Insights among them
        resource = replace(resource, body={**resource.body, "id": f"/{resource.id}"})
    kind = resource.type or type_of(resource.id)
    if kind == resource.type and not api_version:
        return resource  # as nearly all are
    body = {**resource.body, "type": kind} if kind else resource.body
    return replace(resource, body=body, api_version=resource.api_version or api_version)


def _unusable(record: InventoryRecord, value: Json, reason: str, path: str) -> RecordError:
    """Return why a record is no resource, and what the file seems to be where that is known."""
    seems = hint.seems_record(value, record.piece.head) if path in ("$.id", "$.type") else ""
    hints = f"this seems to be {seems}" if seems else f"for an inventory use {hint.EXPORT}" if path == "$.id" else ""
    return record.bad(f"{reason}; {hints}" if hints else reason, path)


def _id_problem(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why a body has no usable id, and its path; None when it has one."""
    identity = body.get("id")
    if not isinstance(identity, str) or not identity:
        return "there is no id", "$.id"
    if len(identity) > _ID_CHARACTERS or not _ID.fullmatch(identity.rstrip("/")) or not type_of(identity):
        return f"{identity[:200]!r} is not the id of an Azure resource", "$.id"
    if len(subscription_of(identity)) > _SUBSCRIPTION_CHARACTERS:
        return f"its subscription has more than {_SUBSCRIPTION_CHARACTERS} characters: {identity[:200]!r}", "$.id"
    return None


def _resource_problem(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why a body is no resource, and the path; None when it is one."""
    kind = body.get("type")
    if not isinstance(kind, str) or not kind:
        return "there is no type", "$.type"
    if "/" not in kind:
        return f"{kind[:200]!r} is not a resource type", "$.type"
    for name in ("properties", "tags", "sku", "identity"):
        if not isinstance(body.get(name), Mapping | None):
            return f"{name} is not an object", f"$.{name}"
    return None


def _plain(piece: RecordText, value: Any) -> Resource:  # noqa: ANN401 - any JSON
    if not isinstance(value, Mapping):
        raise TypeError("the record is not an object")
    if powershell.is_powershell(value):
        return powershell.read(value)
    if "id" not in value:
        return _unwrap(value)
    # Of a subscription, its id and that of its tenant are members of its body.
    added = not _GRAPH_COLUMNS.isdisjoint(value) and type_of(str(value["id"])) != SUBSCRIPTION_TYPE
    return _resource(value, listed=added or piece.format in _LIST_FORMATS)


def _unwrap(value: Mapping[str, Any]) -> Resource:
    """Return a body within a record that says more of it, as the product's own stored form does; else what is there."""
    if isinstance(value.get("body"), Mapping):
        return Resource.from_record(value)
    inner = value.get("resource")
    return Resource(inner, value.get("apiVersion")) if isinstance(inner, Mapping) else Resource(value)


def _resource(value: Mapping[str, Any], *, listed: bool) -> Resource:
    """Return a body as ARM would answer it. A list or a command that leaves the properties out says nothing of them.

    So does one that has them flattened: `az … show` writes them next to the name, in a spelling of its own.
    """
    if listed:
        body = {name: each for name, each in value.items() if name not in _GRAPH_COLUMNS and each not in (None, "")}
    else:  # nobody writes properties that are null but a command that has none to write
        body = {name: each for name, each in value.items() if name != "properties" or each is not None}
    whole = "properties" in body or type_of(str(body.get("id"))) == SUBSCRIPTION_TYPE  # which has none
    return Resource(body, unread={} if whole else _NOT_COLLECTED)


def _row(piece: RecordText, value: Any) -> Resource:  # noqa: ANN401 - any JSON
    """Return a row of a table, whose columns the container names."""
    columns = [column["name"] for column in piece.head["columns"]]
    if not isinstance(value, list) or len(value) != len(columns):
        raise TypeError(f"the row does not have the {len(columns)} values of the columns")
    return _resource(dict(zip(columns, value, strict=True)), listed=True)
