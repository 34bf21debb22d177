"""A definition, an initiative or an assignment of a file, as it is once it is deployed.

Sources: "Escape characters" of template expressions; "Policy Set Definitions" of Enterprise Policy as Code (EPAC).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.resource import Json
from shared.domain.spelling import lowered

_ESCAPED = re.compile(r"\[\[[^\[\]](?s:.*)\]")
_EXPRESSION = re.compile(r"\[[^\[](?s:.*)\]")
_PART_KEYS = frozenset({"mode", "parameters", "policyrule", "policydefinitions"})
_PARTS_OF_RULES = ("policyrule", "policydefinitions")

Steps = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FiledPolicy:
    """A definition, an initiative or an assignment of a file.

    `steps` lead to what the file has of it, and `within` is the member of `source` that this is, "" where the file has
    the whole. `places` has the path in the file of each part that stands elsewhere, by its path in `source`.
    `escaped` says that its expressions were escaped for a template, `unknown` why it is known only when it is deployed,
    `problem` why it cannot be used, `selective` that an assignment passes of its values those which are declared.
    """

    source: dict[str, Json]
    steps: Steps = ()
    within: str = ""
    escaped: bool = False
    unknown: str = ""
    problem: str = ""
    selective: bool = False
    places: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """Return the JSON path of it in the file."""
        return path_of(self.steps)

    @property
    def is_part(self) -> bool:
        """Return whether it is the rule, or the members, of a policy whose parameters may be a file of their own."""
        return bool(self.within) or {key.lower() for key in self.source} <= _PART_KEYS

    def place(self, path: str) -> str:
        """Return the path in the file of a path in `source`."""
        around = max((each for each in self.places if _is_below(path, each)), key=len, default=None)
        if around is not None:
            return self.places[around] + path.removeprefix(around)
        # The parameters of a part come from a file of their own, which keeps their paths.
        if not self.places and path.startswith((f"${self.within}", "$.parameters")):
            return self.at + path.removeprefix("$").removeprefix(self.within)
        return self.at


def path_of(steps: Steps) -> str:
    """Return the JSON path of some steps."""
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _is_below(path: str, around: str) -> bool:
    return path.startswith(around) and path[len(around) : len(around) + 1] in {"", ".", "["}


def filed(source: Mapping[str, Json], steps: Steps, within: str = "") -> FiledPolicy:
    """Return a policy of a file, its expressions as they are once it is deployed."""
    escaped = _is_escaped(source)
    return FiledPolicy(with_ids(_unescaped(source) if escaped else source), steps, within, escaped)


def definition_id(name: str, kind: str = "policyDefinitions") -> str:
    """Return the id of a definition, or of another kind, that is known by its name alone; the scope is left open."""
    return f"/providers/Microsoft.Authorization/{kind}/{name}"


def with_ids(source: Mapping[str, Json]) -> dict[str, Json]:
    """Return a document with an id for each member that an initiative refers to by name alone, as EPAC does."""
    found = dict(source)
    for key, each in source.items():
        if key.lower() == "properties" and isinstance(each, Mapping):
            found[key] = with_ids(each)
        elif key.lower() == "policydefinitions" and isinstance(each, list):
            found[key] = [_with_id(member) for member in each]
    return found


def _with_id(member: Json) -> Json:
    low = lowered(member) if isinstance(member, Mapping) else {}
    name = low.get("policydefinitionname")
    if not isinstance(member, Mapping) or not isinstance(name, str) or "policydefinitionid" in low:
        return member
    rest = {key: each for key, each in member.items() if key.lower() != "policydefinitionname"}
    return {"policyDefinitionId": definition_id(name), **rest}


def _is_escaped(source: Mapping[str, Json]) -> bool:
    """Return whether the expressions of a definition or an initiative are escaped: its effect is, or all that it has.

    The templates that a definition deploys have expressions of their own, which are written either way.
    """
    low = lowered(source)
    inner = low.get("properties")
    properties = lowered(inner) if isinstance(inner, Mapping) else low
    effect: Json = properties
    for key in ("policyrule", "then", "effect"):
        effect = lowered(effect).get(key) if isinstance(effect, Mapping) else None
    if isinstance(effect, str) and _ESCAPED.fullmatch(effect):
        return True  # no effect is called "[parameters('effect')]"
    parts = [properties[part] for part in _PARTS_OF_RULES if part in properties] or [{**source}]
    written = [each for part in parts for each in _texts(part)]
    return any(map(_ESCAPED.fullmatch, written)) and not any(map(_EXPRESSION.fullmatch, written))


def _texts(node: Json) -> Iterator[str]:
    """Yield the texts of a rule, those of its deployment's template left out."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for each in node:
            yield from _texts(each)
    elif isinstance(node, Mapping):
        for key, each in node.items():
            if key.lower() != "template":
                yield from _texts(each)


def _unescaped(node: Json) -> Json:
    """Return a value with one bracket taken from each text that begins with two."""
    if isinstance(node, str):
        return node[1:] if node.startswith("[[") else node
    if isinstance(node, list):
        return [_unescaped(each) for each in node]
    return {key: _unescaped(each) for key, each in node.items()} if isinstance(node, Mapping) else node
