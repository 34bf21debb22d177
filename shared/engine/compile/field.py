"""Fields: from a name as written in a policy to the function that reads it.

Names are properties common to all resources (name, fullName, type, kind, location, id, identity…, tags…) or aliases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from shared.domain.arm_id import full_name_of
from shared.domain.property_path import tag_path
from shared.domain.resource import Json
from shared.engine.compile.path import (
    BodyReader,
    collector,
    is_collection,
    members,
    split_path,
    value_reader,
)
from shared.engine.compile.scope import CompileScope
from shared.engine.context import CACHE_ENTRIES, CACHED_CHARACTERS, Frame
from shared.engine.unknown import Unknown, get_member

FrameReader = Callable[[Json, Frame], Json]
COMMON_FIELDS = (
    "name",
    "fullname",
    "type",
    "kind",
    "location",
    "id",
    "tags",
    "identity",
    "apiversion",
    "plan",
    "managedby",
    "zones",
)


@dataclass(frozen=True, slots=True)
class FieldReader:
    """`read(body, frame)` gives a value, or the list of values when `many`. `path` is None where there is none.

    `direct(body)` does the same where the body alone is enough. `slot` is the counted member that it reads below with
    the keys or segments of `rest`; None: below the body.
    """

    name: str
    path: str | None
    many: bool
    read: FrameReader
    direct: BodyReader | None = None
    slot: int | None = None
    rest: str | None = None
    keys: tuple[str, ...] | None = None


def resolve_field(name: str, scope: CompileScope) -> FieldReader:
    """Return the reader of a field; an unknown alias reads as `Unknown`, an alias of another type as nothing."""
    tag = tag_name(name)
    if tag is not None:
        return _below_root(name, tag_path(tag), ("tags", tag))
    low = name.lower()
    if low.split(".")[0] in COMMON_FIELDS and "/" not in name:
        return _common_field(name, low)
    return _alias(name, scope)


def tag_name(name: str) -> str | None:
    """Return the tag of `tags['x']`, `tags[x]` and `tags.x`; doubled quotes inside quotes stand for one."""
    low = name.lower()
    if low.startswith("tags."):
        return name[5:]
    if not (low.startswith("tags[") and name.endswith("]")):
        return None
    inner = name[5:-1]
    quoted = len(inner) > 1 and inner[0] == inner[-1] == "'"
    return inner[1:-1].replace("''", "'") if quoted else inner


def _common_field(name: str, low: str) -> FieldReader:
    if low == "fullname":
        return FieldReader(name, "id", many=False, read=lambda body, _: full_name(body))
    if low == "apiversion":
        return FieldReader(name, None, many=False, read=_api_version)
    return _below_root(name, name, split_path(name))


def _api_version(body: Json, frame: Frame) -> Json:
    found = frame.api_version or get_member(body, "apiversion")
    return found or Unknown("apiVersion", "notCollected")


def full_name(body: Json) -> Json:
    """Return the name with those of its parents, from the id; the plain name where the id has none."""
    return full_name_of(str(get_member(body, "id") or "")) or get_member(body, "name")


def _below_root(name: str, path: str, keys: tuple[str, ...]) -> FieldReader:
    # Long paths are not kept: definitions that nobody means to use again could fill the memory with them.
    read = _cached_reader if len(path) <= CACHED_CHARACTERS else _cached_reader.__wrapped__
    return read(name, path, keys)


@lru_cache(CACHE_ENTRIES)
def _cached_reader(name: str, path: str, keys: tuple[str, ...]) -> FieldReader:
    reader = value_reader(keys)
    return FieldReader(name, path, many=False, read=lambda body, _: reader(body), direct=reader, keys=keys)


def _alias(name: str, scope: CompileScope) -> FieldReader:
    if name not in scope.catalog:
        gap = Unknown(f"alias {name}", "unknownAlias")
        return FieldReader(name, None, many=False, read=lambda _body, _frame: gap)
    alias = scope.catalog.find(name, scope.type or "")
    if alias is None:
        many = is_collection(name)
        return FieldReader(name, None, many=many, read=lambda _body, _frame: [] if many else None)
    reader, absent = path_reader(name, alias.at(scope.api_version), scope), version_gap(name, scope)
    return reader if absent is None else _unread_where_absent(reader, absent)


def version_gap(name: str, scope: CompileScope) -> Unknown | None:
    """Return what stands for an absent property that bodies of the scope's api-version do not have; None if they do."""
    alias = scope.catalog.find(name, scope.type or "")
    if alias is None or not alias.lacks(scope.api_version):
        return None
    return Unknown(f"{alias.path} (api-version {scope.api_version} does not have it)", "unsupported")


def _unread_where_absent(reader: FieldReader, gap: Unknown) -> FieldReader:
    read, outer = reader.read, value_reader(split_path((reader.path or "").partition("[*]")[0]))

    def read_or_gap(body: Json, frame: Frame) -> Json:
        frame.partial = True  # functions then look for gaps inside of lists
        found = read(body, frame)
        if not reader.many:
            return gap if found is None else found
        return [gap if each is None else each for each in found] or ([gap] if outer(body) is None else [])

    return FieldReader(reader.name, reader.path, reader.many, read_or_gap)


def path_reader(name: str, path: str, scope: CompileScope) -> FieldReader:
    """Return the reader of a path: below a surrounding count's member that it goes through, else below the body."""
    binding, rest = scope.at(path)
    many = is_collection(rest)
    if binding is not None:
        return FieldReader(name, path, many, _in_slot(binding.slot, rest, many=many), slot=binding.slot, rest=rest)
    if many:
        collect = collector(rest)
        return FieldReader(name, path, many, lambda body, _: collect(body), direct=collect, rest=rest)
    return _below_root(name, path, split_path(rest))


def _in_slot(slot: int, rest: str, *, many: bool) -> FrameReader:
    if not rest:
        return lambda _, frame: frame.slots[slot]
    if not many:
        read = value_reader(split_path(rest))
        return lambda _, frame: read(frame.slots[slot])
    collect = _collect_in_slot(rest)
    return lambda _, frame: collect(frame.slots[slot])


def _collect_in_slot(rest: str) -> Callable[[Json], list[Json]]:
    if rest.startswith("[*]"):  # the member is itself an array
        below = rest[3:].lstrip(".")
        inner = collector(below) if is_collection(below) else None
        read = value_reader(split_path(below))
        if inner is None:
            return lambda node: [read(each) for each in members(node)]
        return lambda node: [value for each in members(node) for value in inner(each)]
    return collector(rest)
