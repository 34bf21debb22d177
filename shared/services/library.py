"""The policy files at hand: definitions, initiatives and assignments, told apart by shape and found by id or name."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from shared.domain.resource import Json
from shared.engine import InvalidDefinition
from shared.engine.error import nearest
from shared.engine.expression import Call, Literal
from shared.engine.initiative import Initiative, name_of, parse_initiative
from shared.engine.parser import parse_definition
from shared.engine.tree import Definition

Source = Mapping[str, Json]
_ID = re.compile(
    r"(/subscriptions/[^/]+|/providers/microsoft\.management/managementgroups/[^/]+)?"
    r"/providers/microsoft\.authorization/policy(set)?definitions/[^/]+(/versions/[^/]+)?",
    re.IGNORECASE,
)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Shape(StrEnum):
    """What a policy file holds."""

    DEFINITION = "definition"
    INITIATIVE = "initiative"
    ASSIGNMENT = "assignment"


_MARKS = (
    ("policyrule", Shape.DEFINITION),
    ("if", Shape.DEFINITION),
    ("policydefinitions", Shape.INITIATIVE),
    ("policydefinitionid", Shape.ASSIGNMENT),
)
_TYPES = {
    "microsoft.authorization/policydefinitions": Shape.DEFINITION,
    "microsoft.authorization/policysetdefinitions": Shape.INITIATIVE,
    "microsoft.authorization/policyassignments": Shape.ASSIGNMENT,
}


def shape_of(source: Source) -> Shape | None:
    """What a document holds, by its type or by the key that only one of the shapes has; None where nothing tells."""
    low = {str(key).lower(): value for key, value in source.items()}
    inner = low.get("properties")
    keys = {str(key).lower() for key in inner} if isinstance(inner, Mapping) else low.keys()
    return _TYPES.get(str(low.get("type")).lower()) or next((shape for key, shape in _MARKS if key in keys), None)


def is_definition_id(identity: str) -> bool:
    """Whether it is the full id of a policy definition or an initiative."""
    return _ID.fullmatch(identity) is not None


def is_initiative_id(identity: str) -> bool:
    """Whether it is the id of an initiative, rather than of a policy definition."""
    return "/policysetdefinitions/" in identity.lower()


def is_built_in(identity: str) -> bool:
    """Whether it looks like the id of a definition of Azure's own: at no scope, named by a GUID."""
    known = identity.lower().startswith("/providers/microsoft.authorization/")
    return known and _GUID.fullmatch(name_of(identity)) is not None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A document with the name that others know it by."""

    name: str
    source: Source
    shape: Shape

    @property
    def id(self) -> str:
        """Its id, "" where it has none."""
        return str(self.source.get("id") or "")


@dataclass(frozen=True)
class Library:
    """Documents by id and by name, without case; of several with one name the first counts."""

    entries: tuple[Entry, ...] = ()
    beside: "Library | None" = None
    _parsed: dict[int, Definition | Initiative | InvalidDefinition] = field(default_factory=dict, repr=False)

    @cached_property
    def _by_id(self) -> dict[str, Entry]:
        return {each.id.lower(): each for each in reversed(self.entries) if each.id}

    @cached_property
    def _by_name(self) -> dict[tuple[Shape, str], Entry]:
        return {(each.shape, each.name.lower()): each for each in reversed(self.entries)}

    def find(self, reference: str, *shapes: Shape) -> Entry | None:
        """The document of an id or a name; where a document has no such id, the one of that name at any scope."""
        low = reference.lower()
        found = self._by_id.get(low.partition("/versions/")[0])
        if found is not None and found.shape in shapes:
            return found
        if "/" in low:
            shapes = tuple(each for each in shapes if is_initiative_id(low) is (each is Shape.INITIATIVE))
        named = (self._by_name.get((each, name_of(low))) for each in shapes)
        return next((each for each in named if each), None) or (
            self.beside.find(reference, *shapes) if self.beside else None
        )

    def near(self, reference: str, *shapes: Shape) -> str | None:
        """The name that was probably meant."""
        return nearest(name_of(reference), self.names(*shapes))

    def names(self, *shapes: Shape) -> tuple[str, ...]:
        """Every name of these shapes."""
        own = tuple(each.name for each in self.entries if each.shape in shapes)
        return own + (self.beside.names(*shapes) if self.beside else ())

    def read(self, entry: Entry) -> Definition | Initiative:
        """A definition or initiative parsed, once; InvalidDefinition."""
        found = self._parsed.get(id(entry.source))
        if found is None:
            found = self._parsed[id(entry.source)] = _read(entry)
        if isinstance(found, InvalidDefinition):
            raise found
        return found


def _read(entry: Entry) -> Definition | Initiative | InvalidDefinition:
    try:
        return parse_initiative(entry.source) if entry.shape is Shape.INITIATIVE else parse_definition(entry.source)
    except InvalidDefinition as error:
        return error
    except RecursionError:
        return InvalidDefinition("it nests too deeply", path="$")


def version_of(entry: Entry) -> str:
    """The version that a definition says it has; "" where it says none."""
    low = {str(key).lower(): value for key, value in properties_of(entry).items()}
    metadata = low.get("metadata")
    own = low.get("version") or (metadata.get("version") if isinstance(metadata, Mapping) else None)
    return str(own or "")


def properties_of(entry: Entry) -> Source:
    """The properties, where the document has them or is them."""
    found = next((each for key, each in entry.source.items() if str(key).lower() == "properties"), entry.source)
    return found if isinstance(found, Mapping) else {}


def effect_of(tree: Definition, given: Mapping[str, Json]) -> str:
    """The effect (lower case) of a definition with parameter values; "" where it is computed or open."""
    if isinstance(tree.effect, Literal):
        return str(tree.effect.value).lower()
    name = effect_parameter(tree)
    declared = tree.parameters.get(name or "")
    chosen = next((each for key, each in given.items() if key.lower() == name), declared.default if declared else None)
    return str(chosen or "").lower()


def effect_parameter(tree: Definition) -> str | None:
    """The name (lower case) of the parameter that gives the effect."""
    call = tree.effect
    if isinstance(call, Call) and call.name.lower() == "parameters" and isinstance(call.arguments[0], Literal):
        return str(call.arguments[0].value).lower()
    return None


def library(documents: Iterable[tuple[str, Source]], beside: Library | None = None) -> Library:
    """A library of documents, each with the name it has where it says none itself; `beside` is asked for the others.

    What has no shape counts as a definition, and is refused when it is read.
    """
    found = ((name, source, shape_of(source) or Shape.DEFINITION) for name, source in documents)
    return Library(
        tuple(Entry(str(source.get("name") or name), source, shape) for name, source, shape in found), beside
    )
