"""A library of policy files: definitions, initiatives and assignments, recognized by shape, found by id or name."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from shared.domain.resource import Json
from shared.domain.spelling import lowered, spelled
from shared.engine import InvalidDefinition
from shared.engine.compile.initiative import Initiative, name_from_id, parse_initiative
from shared.engine.error import nearest
from shared.engine.language.expression import Literal
from shared.engine.language.parser import parse_definition
from shared.engine.language.traversal import parameter_name
from shared.engine.language.tree import Definition

PolicySource = Mapping[str, Json]
# Files that a tool fills in have a place for the scope: `${root_scope}`, `{scope}`.
_DEFINITION_ID = re.compile(
    r"((/providers/microsoft\.subscription)?/subscriptions/[^/]+|/providers/microsoft\.management/managementgroups/[^/]+|/?\$?\{[^{}]+\}|/?<[^<>]+>)?"
    r"/providers/microsoft\.authorization/policy(set)?definitions/[^/]+(/versions/[^/]+)?",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"[/\\\\]")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class DocumentShape(StrEnum):
    """What a policy file holds."""

    DEFINITION = "definition"
    INITIATIVE = "initiative"
    ASSIGNMENT = "assignment"


_SHAPE_KEYS = (
    ("policyrule", DocumentShape.DEFINITION),
    ("if", DocumentShape.DEFINITION),
    ("policydefinitions", DocumentShape.INITIATIVE),
    ("policydefinitionid", DocumentShape.ASSIGNMENT),
)
_SHAPE_TYPES = {
    "microsoft.authorization/policydefinitions": DocumentShape.DEFINITION,
    "microsoft.authorization/policysetdefinitions": DocumentShape.INITIATIVE,
    "microsoft.authorization/policyassignments": DocumentShape.ASSIGNMENT,
}


def shape_of(source: PolicySource) -> DocumentShape | None:
    """Return what a document holds, by its type or by a key that only one shape has; None where neither decides."""
    low = lowered(source)
    inner = low.get("properties")
    keys = {str(key).lower() for key in inner} if isinstance(inner, Mapping) else low.keys()
    return _SHAPE_TYPES.get(str(low.get("type")).lower()) or next(
        (shape for key, shape in _SHAPE_KEYS if key in keys), None
    )


def is_definition_id(identity: str) -> bool:
    """Return whether it is the full id of a policy definition or an initiative."""
    return _DEFINITION_ID.fullmatch(identity) is not None


def is_initiative_id(identity: str) -> bool:
    """Return whether it is the id of an initiative, rather than of a policy definition."""
    return "/policysetdefinitions/" in identity.lower()


def is_built_in(identity: str) -> bool:
    """Return whether it looks like the id of a definition of Azure's own: at no scope, named by a GUID."""
    known = identity.lower().startswith("/providers/microsoft.authorization/")
    return known and _GUID.fullmatch(name_from_id(identity)) is not None


def _text(source: PolicySource, *names: str) -> str:
    """Return the first of some members (lower case) that has something, whatever its case; "" when none has."""
    low = lowered(source)
    return next((str(low[name]) for name in names if low.get(name)), "")


@dataclass(frozen=True, slots=True, eq=False)
class PolicyDocument:
    """A document with the name that others know it by.

    `selective` says that an assignment passes of its values those which are declared; `folder` is where its file is,
    `escaped` whether the file has its expressions escaped for a template.
    """

    name: str
    source: PolicySource
    shape: DocumentShape
    locate: Callable[[str], str] | None = None
    selective: bool = False
    folder: str = ""
    escaped: bool = False

    def place(self, path: str) -> str:
        """Return where people find a JSON path of it: the file and line, otherwise its name."""
        return self.locate(path) if self.locate else self.name

    @property
    def id(self) -> str:
        """Return its id, "" where it has none; PowerShell calls it ResourceId."""
        return _text(self.source, "id", "resourceid")


class _Index:
    """What is computed of documents once, whoever looks at them."""

    def __init__(self, entries: tuple[PolicyDocument, ...]) -> None:
        self.parsed: dict[int, Definition | Initiative | InvalidDefinition] = {}
        self._entries = entries

    @cached_property
    def by_id(self) -> dict[str, list[PolicyDocument]]:
        found: dict[str, list[PolicyDocument]] = {}
        for each in self._entries:
            if each.id:
                found.setdefault(each.id.lower(), []).append(each)
        return found

    @cached_property
    def by_name(self) -> dict[tuple[DocumentShape, str], list[PolicyDocument]]:
        found: dict[tuple[DocumentShape, str], list[PolicyDocument]] = {}
        for each in self._entries:
            found.setdefault((each.shape, each.name.lower()), []).append(each)
        return found


@dataclass(frozen=True)
class Library:
    """Documents by id and by name, without case.

    Of several with one id or name that counts whose folder is most like `home`, the folder of the file that refers to
    it; otherwise the first.
    """

    entries: tuple[PolicyDocument, ...] = ()
    fallback: "Library | None" = None
    home: str = ""
    _index: _Index | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Make the index, unless another library has it."""
        object.__setattr__(self, "_index", self._index or _Index(self.entries))

    @property
    def _held(self) -> _Index:
        assert self._index is not None  # made at once
        return self._index

    def seen_from(self, folder: str) -> "Library":
        """Return the same library for references from a folder."""
        return replace(self, home=folder)

    def _nearest(self, found: list[PolicyDocument]) -> PolicyDocument | None:
        home = Counter(_FOLDER.split(self.home))

        def likeness(each: PolicyDocument) -> int:
            there = Counter(_FOLDER.split(each.folder))
            return (home & there).total() - (home - there).total() - (there - home).total()

        return max(found, key=likeness) if len(found) > 1 and self.home else next(iter(found), None)

    def find(self, reference: str, *shapes: DocumentShape) -> PolicyDocument | None:
        """Return the document of an id or a name; where none has the id, the one of that name at any scope."""
        low = reference.lower()
        found = self._nearest(self._held.by_id.get(low.partition("/versions/")[0], []))
        if found is not None and found.shape in shapes:
            return found
        # An id says what it is of; a document of that name may be from another scope, or have no id at all.
        if "/" in low:
            shapes = tuple(each for each in shapes if is_initiative_id(low) is (each is DocumentShape.INITIATIVE))
        named = (self._nearest(self._held.by_name.get((each, name_from_id(low)), [])) for each in shapes)
        return next((each for each in named if each), None) or (
            self.fallback.find(reference, *shapes) if self.fallback else None
        )

    def near(self, reference: str, *shapes: DocumentShape) -> str | None:
        """Return the name that was probably meant."""
        return nearest(name_from_id(reference), self.names(*shapes))

    def names(self, *shapes: DocumentShape) -> tuple[str, ...]:
        """Return every name of these shapes."""
        own = tuple(each.name for each in self.entries if each.shape in shapes)
        return own + (self.fallback.names(*shapes) if self.fallback else ())

    def read(self, entry: PolicyDocument) -> Definition | Initiative:
        """Return a definition or initiative parsed, once; InvalidDefinition."""
        # By identity: the sources are not hashable, and the library keeps them alive, so that no id is used twice.
        found = self._held.parsed.get(id(entry.source))
        if found is None:
            found = self._held.parsed[id(entry.source)] = _read(entry)
        if isinstance(found, InvalidDefinition):
            raise found
        return found


def _read(entry: PolicyDocument) -> Definition | Initiative | InvalidDefinition:
    try:
        return (
            parse_initiative(entry.source)
            if entry.shape is DocumentShape.INITIATIVE
            else parse_definition(entry.source)
        )
    except InvalidDefinition as error:
        return error
    except RecursionError:
        return InvalidDefinition("it nests too deeply", path="$")


def version_of(entry: PolicyDocument) -> str:
    """Return the version that a definition says it has; "" where it says none."""
    low = lowered(properties_of(entry))
    metadata = low.get("metadata")
    # Azure writes it into the properties; files, and older definitions, have it in the metadata.
    own = low.get("version") or (metadata.get("version") if isinstance(metadata, Mapping) else None)
    return str(own or "")


def properties_of(entry: PolicyDocument) -> PolicySource:
    """Return the properties, where the document has them or is them."""
    found = entry.source.get(spelled(entry.source, "properties") or "", entry.source)
    return found if isinstance(found, Mapping) else {}


def effect_of(tree: Definition, given: Mapping[str, Json]) -> str:
    """Return the effect (lower case) of a definition with parameter values; "" where it is computed or open."""
    if isinstance(tree.effect, Literal):
        return str(tree.effect.value).lower()
    name = parameter_name(tree.effect)
    declared = tree.parameters.get(name or "")
    # Looked up without case, as Azure matches the names of parameters.
    chosen = given.get(spelled(given, name or "") or "", declared.default if declared else None)
    return str(chosen or "").lower()


def document_of(name: str, source: PolicySource, locate: Callable[[str], str] | None = None) -> PolicyDocument:
    """Return a document under its own name, else under the given one.

    What has no shape counts as a definition, and is refused when it is read.
    """
    return PolicyDocument(_text(source, "name") or name, source, shape_of(source) or DocumentShape.DEFINITION, locate)


def build_library(documents: Iterable[tuple[str, PolicySource]], fallback: Library | None = None) -> Library:
    """Build a library of documents, each under its own name, else under the given one; `fallback` has others."""
    return Library(tuple(document_of(name, source) for name, source in documents), fallback)
