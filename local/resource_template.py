"""Templates of resources: JSON with {slots} and picks, compiled once and rendered fast from a string of draws.

A template file holds the facts of one resource type (its api-versions, how it is patched, …), the body that ARM
returns for it, and its children. In a body

- "{name}" inside a string is a slot, filled when the resource is rendered; a string that is "{tags}", "{home}" or
  "{permissions}" is replaced by JSON;
- {"$pick": [right, wrong, …], "$right": 85} is one of the values: the first in 85 of 100 resources, otherwise one of
  the rest; "$absent" among the values leaves the member out; picks with the same "$with" decide alike.

A child with "present": 80 is there in 80 of 100 resources; "presentWith" names the picks it decides alike with.

One byte of a resource's draws decides one pick, so the same draws give the same body, and changing one byte changes
one decision. The first bytes are kept for what is not in the template (`RESERVED`): tags.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from shared.domain.resource import Json

RESERVED_DRAWS = 8
TEMPLATE_FOLDER = Path(__file__).parent / "estate_types"
_SLOT = re.compile(r"\{([a-z][A-Za-z0-9.]*)\}")
_OBJECTS = frozenset({"{tags}", "{home}", "{permissions}"})
_USUAL_PERCENT = 85
_BYTE_VALUES = 256
_TEMPLATE_FIELDS = ("patch", "etag", "graph", "parent", "singleton", "slow", "inline")

SlotValues = MutableMapping[str, str]


class EstateRecord(NamedTuple):
    """A rendered resource: its ARM id, its template, and its body as JSON text."""

    id: str
    template: "ResourceTemplate"
    text: str


@dataclass(frozen=True, slots=True)
class WeightedChoice:
    """A choice: `table` has the pieces for each value of the byte at `index` of the draws."""

    index: int
    table: tuple["Pieces", ...]


type Pieces = tuple[str | WeightedChoice, ...]


@dataclass(frozen=True, slots=True)
class ResourceTemplate:
    """A resource type with its facts and the body of its resources.

    `patch` says what PATCH does: "merge" (properties are merged), "tags" (only tags are taken), "none" (refused).
    `etag` says where the etag is: "body", "header" or "none". `graph` is the Resource Graph table that lists the type.
    `singleton` marks a child that exists as long as its parent does, `slow` a type whose writes take time.
    `read_only` names properties that a PUT does not change, `modifiable` the aliases that Azure Policy may modify.
    `inline` maps the last part of a child's type to the property of this body whose elements are those children.
    `parent` is the key of the template whose resource a resource of this type lies under, if not directly in a group.
    `place` is what a child's id has after its parent's. `draws` is how many bytes of draws the resource and its
    children need.
    """

    type: str
    key: str
    name: str
    api_versions: tuple[str, ...]
    place: str = ""
    patch: str = "merge"
    etag: str = "none"
    graph: str | None = None
    parent: str | None = None
    singleton: bool = False
    slow: bool = False
    read_only: frozenset[str] = frozenset()
    modifiable: frozenset[str] = frozenset()
    inline: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Json] = field(default_factory=dict)
    pieces: Pieces = ()
    present: WeightedChoice | None = None
    children: tuple["ResourceTemplate", ...] = ()
    draws: int = RESERVED_DRAWS

    def render(self, resource_id: str, slots: SlotValues, draws: bytes) -> list[EstateRecord]:
        """Render the resource under `resource_id`, then its children. `slots` is changed on the way."""
        records: list[EstateRecord] = []
        _render(self, resource_id, (slots, draws), records)
        return records

    def family(self) -> Iterator["ResourceTemplate"]:
        """Yield this template and all below it."""
        yield self
        for child in self.children:
            yield from child.family()


def _render(
    template: ResourceTemplate, resource_id: str, given: tuple[SlotValues, bytes], records: list[EstateRecord]
) -> None:
    slots, draws = given
    name = resource_id.rpartition("/")[2]
    slots["id"], slots["name"] = resource_id, name
    records.append(EstateRecord(resource_id, template, "".join(_choose(template.pieces, draws, [])) % slots))
    for child in template.children:
        if child.present is None or child.present.table[draws[child.present.index]]:
            # Set again for every child: the children of the one before have changed them.
            slots["parent"], slots["parentId"] = name, resource_id
            _render(child, resource_id + child.place % slots, given, records)


def _choose(pieces: Pieces, draws: bytes, chosen: list[str]) -> list[str]:
    """Append to `chosen` the texts that the draws choose."""
    for piece in pieces:
        if isinstance(piece, str):
            chosen.append(piece)
        else:
            _choose(piece.table[draws[piece.index]], draws, chosen)
    return chosen


@functools.cache
def templates() -> Mapping[str, ResourceTemplate]:
    """Return all templates of the estate by key (the file's name), in the order of their keys."""
    return {path.stem: load(path) for path in sorted(TEMPLATE_FOLDER.glob("*.json"))}


def load(path: Path) -> ResourceTemplate:
    """Compile the template in a file; ValueError names a body that cannot be rendered."""
    return _Compiler().template({"key": path.stem, **json.loads(path.read_text(encoding="utf-8"))})


class _Compiler:
    """Compiles one file; the picks of the resource and its children share one numbering."""

    def __init__(self) -> None:
        self._next = RESERVED_DRAWS
        self._named: dict[str, int] = {}

    def template(self, row: Mapping[str, Json], parent: ResourceTemplate | None = None) -> ResourceTemplate:
        named = f',"name":"%(name)s","type":"{row["type"]}"' if row.get("named", True) else ""
        body = [f'{{"id":"%(id)s"{named}', *self._members(row["body"], comma=","), "}"]
        made = ResourceTemplate(
            type=row["type"],
            key=row.get("key", ""),
            name=_slotted(row["name"]),
            place=_scope_of(row, parent),
            api_versions=tuple(row["apiVersions"]) if "apiVersions" in row else parent.api_versions if parent else (),
            read_only=frozenset(row.get("readOnly", ())),
            modifiable=frozenset(row.get("modifiable", ())),
            body=row["body"],
            pieces=_joined(body),
            present=WeightedChoice(self._take(row.get("presentWith")), _table([("present",), ()], row["present"]))
            if "present" in row
            else None,
            **{
                "graph": None if parent else "resources",
                **{name: row[name] for name in _TEMPLATE_FIELDS if name in row},
            },
        )
        logs = [_diagnostic(row["logs"], row.get("metrics", True))] if "logs" in row else []
        children = tuple(self.template(child, made) for child in (*row.get("children", ()), *logs))
        return replace(made, children=children, draws=self._next)

    def _members(self, body: Mapping[str, Json], comma: str) -> Iterator[str | WeightedChoice]:
        for name, value in body.items():
            yield from self._member(f"{comma}{json.dumps(name)}:", value)
            comma = ","

    def _member(self, head: str, value: Json) -> Iterator[str | WeightedChoice]:
        """Yield a member. Where it can be absent, its name is part of the choice."""
        if not (isinstance(value, Mapping) and "$absent" in value.get("$pick", ())):
            yield _escaped(head)
            yield from self._value(value)
        elif head.startswith(","):
            # The comma is part of the choice: an absent member leaves none behind.
            yield self._pick(value, _escaped(head))
        else:
            raise ValueError(f"the first member of an object must not be absent: {head}")

    def _value(self, value: Json) -> Iterator[str | WeightedChoice]:
        if isinstance(value, Mapping) and "$pick" in value:
            yield self._pick(value)
        elif isinstance(value, Mapping):
            yield from ("{", *self._members(value, comma=""), "}")
        elif isinstance(value, list):
            yield "["
            for number, each in enumerate(value):
                yield from ((",", *self._value(each)) if number else self._value(each))
            yield "]"
        else:
            yield _slotted(value if value in _OBJECTS else json.dumps(value))

    def _pick(self, value: Mapping[str, Json], head: str = "") -> WeightedChoice:
        # Taken before the values are compiled, so that picks within them come later.
        index = self._take(value.get("$with"))
        choices = [() if each == "$absent" else _joined([head, *self._value(each)]) for each in value["$pick"]]
        return WeightedChoice(index, _table(choices, value.get("$right", _USUAL_PERCENT)))

    def _take(self, name: str | None) -> int:
        """Return the index of the next byte, or that of an earlier choice of this name."""
        # Choices of one name share a byte, so that they decide alike.
        number = self._named.get(name or "", self._next)
        if number == self._next:
            self._next += 1
        if name:
            self._named[name] = number
        return number


def _scope_of(row: Mapping[str, Json], parent: ResourceTemplate | None) -> str:
    """Return what follows the parent's id: a child's last type segment, or an extension's whole type."""
    if parent is None:
        return ""
    resource_type, name = row["type"], _slotted(row["name"])
    if resource_type.lower().startswith(parent.type.lower() + "/"):
        return f"/{resource_type.rpartition('/')[2]}/{name}"
    return f"/providers/{resource_type}/{name}"


def _table(choices: Sequence[Pieces], share: int) -> tuple[Pieces, ...]:
    """Return the choice for each value of a byte: the first for `share` of 100, the others in equal parts."""
    first = round(_BYTE_VALUES * share / 100)
    rest = choices[1:] or choices
    # A table of all 256 values makes a choice at rendering one look-up, without arithmetic.
    return tuple(
        choices[0] if byte < first else rest[(byte - first) * len(rest) // (_BYTE_VALUES - first)]
        for byte in range(_BYTE_VALUES)
    )


def _joined(pieces: Sequence[str | WeightedChoice]) -> Pieces:
    """Join the texts among the pieces that are neighbours."""
    joined: list[str | WeightedChoice] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def _slotted(text: str) -> str:
    """Turn a text into a %-format: `{name}` becomes `%(name)s`, which Python fills faster than a format string."""
    return _SLOT.sub(r"%(\1)s", _escaped(text))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _diagnostic(logs: Sequence[str], metrics: bool) -> Mapping[str, Json]:  # noqa: FBT001 - a fact of the type
    """Return the diagnostic setting that sends a resource's logs to the workspace of its subscription."""
    kept = {"enabled": False, "days": 0}
    entries = [{"category": log, "categoryGroup": None, "enabled": True, "retentionPolicy": kept} for log in logs]
    partly = [{**entry, "enabled": index > 0} for index, entry in enumerate(entries)]
    numbers = [{"timeGrain": None, "category": "AllMetrics", "enabled": True, "retentionPolicy": kept}]
    return {
        "type": "Microsoft.Insights/diagnosticSettings",
        "name": "central-logs",
        "apiVersions": ["2021-05-01-preview", "2017-05-01-preview", "2016-09-01"],
        "patch": "none",
        "present": 82,
        "body": {
            "location": None,
            "kind": None,
            "tags": None,
            "properties": {
                "storageAccountId": None,
                "serviceBusRuleId": None,
                "workspaceId": "{ref.workspace}",
                "eventHubAuthorizationRuleId": None,
                "eventHubName": None,
                "metrics": numbers if metrics else [],
                "logs": {"$pick": [entries, partly], "$right": 90},
                "logAnalyticsDestinationType": None,
            },
            "identity": None,
        },
    }
