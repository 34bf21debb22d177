"""Fields: from a name as written in a policy to the function that reads it.

Names are properties common to all resources (name, fullName, type, kind, location, id, identity…, tags…) or aliases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from shared.domain.resource import Json
from shared.engine.context import LONGEST_KEPT, MOST_KEPT, Frame
from shared.engine.path import Reader, collector, is_collection, members, pick, split, value_reader
from shared.engine.scope import Scope
from shared.engine.unknown import Unknown

Read = Callable[[Json, Frame], Json]
COMMON = (
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
    read: Read
    direct: Reader | None = None
    slot: int | None = None
    rest: str | None = None
    keys: tuple[str, ...] | None = None


def resolve(name: str, scope: Scope) -> FieldReader:
    """The reader of a field; an unknown alias reads as `Unknown`, an alias of another type as nothing."""
    tag = tag_name(name)
    if tag is not None:
        return _below_root(name, f"tags['{tag}']", ("tags", tag))
    low = name.lower()
    if low.split(".")[0] in COMMON and "/" not in name:
        return _common(name, low)
    return _alias(name, scope)


def tag_name(name: str) -> str | None:
    """The tag of `tags['x']`, `tags[x]` and `tags.x`; doubled quotes inside quotes stand for one."""
    low = name.lower()
    if low.startswith("tags."):
        return name[5:]
    if not (low.startswith("tags[") and name.endswith("]")):
        return None
    inner = name[5:-1]
    quoted = len(inner) > 1 and inner[0] == inner[-1] == "'"
    return inner[1:-1].replace("''", "'") if quoted else inner


def _common(name: str, low: str) -> FieldReader:
    if low == "fullname":
        return FieldReader(name, "id", many=False, read=lambda body, _: full_name(body))
    if low == "apiversion":
        return FieldReader(name, None, many=False, read=_api_version)
    return _below_root(name, name, split(name))


def _api_version(body: Json, frame: Frame) -> Json:
    found = frame.resource.api_version or pick(body, "apiversion")
    return found or Unknown("apiVersion", "notCollected")


def full_name(body: Json) -> Json:
    """The name with those of its parents, from the id; the name itself where the id tells none."""
    _, inside, tail = str(pick(body, "id") or "").rpartition("/providers/")
    names = tail.split("/")[2::2] if inside else []  # provider/type/name
    return "/".join(names) or pick(body, "name")


def _below_root(name: str, path: str, keys: tuple[str, ...]) -> FieldReader:
    read = _kept if len(path) <= LONGEST_KEPT else _kept.__wrapped__
    return read(name, path, keys)


@lru_cache(MOST_KEPT)
def _kept(name: str, path: str, keys: tuple[str, ...]) -> FieldReader:
    reader = value_reader(keys)
    return FieldReader(name, path, many=False, read=lambda body, _: reader(body), direct=reader, keys=keys)


def _alias(name: str, scope: Scope) -> FieldReader:
    if name not in scope.catalog:
        gap = Unknown(f"alias {name}", "unknownAlias")
        return FieldReader(name, None, many=False, read=lambda _body, _frame: gap)
    alias = scope.catalog.find(name, scope.type or "")
    if alias is None:
        many = is_collection(name)
        return FieldReader(name, None, many=many, read=lambda _body, _frame: [] if many else None)
    return at_path(name, alias.at(scope.api_version), scope)


def at_path(name: str, path: str, scope: Scope) -> FieldReader:
    """The reader of a path: below the member of a surrounding count that it goes through, else below the body."""
    binding, rest = scope.at(path)
    many = is_collection(rest)
    if binding is not None:
        return FieldReader(name, path, many, _in_slot(binding.slot, rest, many=many), slot=binding.slot, rest=rest)
    if many:
        collect = collector(rest)
        return FieldReader(name, path, many, lambda body, _: collect(body), direct=collect, rest=rest)
    return _below_root(name, path, split(rest))


def _in_slot(slot: int, rest: str, *, many: bool) -> Read:
    if not rest:
        return lambda _, frame: frame.slots[slot]
    if not many:
        read = value_reader(split(rest))
        return lambda _, frame: read(frame.slots[slot])
    collect = _collect_in_slot(rest)
    return lambda _, frame: collect(frame.slots[slot])


def _collect_in_slot(rest: str) -> Callable[[Json], list[Json]]:
    if rest.startswith("[*]"):  # the member is itself an array
        below = rest[3:].lstrip(".")
        inner = collector(below) if is_collection(below) else None
        read = value_reader(split(below))
        if inner is None:
            return lambda node: [read(each) for each in members(node)]
        return lambda node: [value for each in members(node) for value in inner(each)]
    return collector(rest)
