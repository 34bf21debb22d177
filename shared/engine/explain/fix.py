"""One change of a resource, as it is told to people, and the values with which it may be tried."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from shared.domain.resource import Json
from shared.engine.explain.place import path_steps
from shared.engine.value import hashable

EXACT_ACTIONS = frozenset({"set", "remove", "add"})
_DESCRIBING = frozenset({"tags", "sku", "kind", "name", "type", "ostype", "tier", "plan", "extendedlocation"})
"""Properties that say what a resource is: to change them may take it out of a policy, and is seldom what is meant."""
_MEMBER_KINDS = ("type", "name", "kind", "category")
_READ_ONLY = frozenset({"provisioningstate", "diskstate", "powerstate", "compliancestatus"})
_ACTION_COST = {"set": 10, "add": 15, "remove": 22}
_OPEN_COST, _DESCRIBING_COST, _MEMBER_COST = 10, 50, 20


def is_read_only(path: str) -> bool:
    """Return whether Azure alone sets a property."""
    return path.rpartition(".")[2].lower() in _READ_ONLY


def describes(path: str) -> bool:
    """Return whether a property says what a resource is, rather than how it is configured."""
    steps = [each.lower() for each in path_steps(path) or () if isinstance(each, str)]
    # The type of a member is what tells it from others: to change it makes another member of it.
    tells_apart = "[" in path and bool(steps) and steps[-1].endswith(_MEMBER_KINDS)
    return tells_apart or not _DESCRIBING.isdisjoint(steps)


@dataclass(frozen=True, slots=True)
class Fix:
    """One change: `action` is set or add (`value`), remove, change (to what `text` says) or create (`value`).

    `path` is the property path in the body, with the indexes of array members: `properties.rules[2].access`; add
    appends to the array at `path`. `resource` is the id, else the type, of the related resource to change, "" where it
    is the resource itself. `text` is the change in words, with the names of members. `alternatives` are other values
    that a `set` may write as well.
    """

    action: str
    path: str
    value: Json = None
    text: str = ""
    resource: str = ""
    alternatives: tuple[Json, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return the fix as JSON; without a value where there is none to write, and others where there are none."""
        written: dict[str, Json] = {"value": self.value} if self.action in {"set", "add", "create"} else {}
        written |= {"alternatives": list(self.alternatives)} if self.alternatives else {}
        return {"action": self.action, "path": self.path, **written, "text": self.text, "resource": self.resource}


Fixes = tuple[Fix, ...]


@dataclass(frozen=True, slots=True)
class CandidateFix:
    """A change to try: `action` is set, add or remove; `words` say what the value has to be.

    `choices` are values that the rule names, the best first; `probes` others, which only show that there is a value
    that does. `ordinal` tells apart members that are added. `meets` says of a value, null for none, whether it does.
    """

    action: str
    path: str
    choices: tuple[Json, ...] = ()
    probes: tuple[Json, ...] = ()
    words: str = ""
    ordinal: int = 0
    meets: Callable[[Json], bool] | None = field(default=None, compare=False, repr=False)

    @property
    def place(self) -> Hashable:
        """Return what changes of the same value have in common."""
        added = (self.ordinal, hashable([*self.choices, *self.probes])) if self.action == "add" else None
        return (self.path.lower(), added)

    @property
    def cost(self) -> int:
        """Return how much it asks of people, for choosing among changes: less is better."""
        steps = path_steps(self.path) or [self.path]
        more = _OPEN_COST if self.action != "remove" and not self.choices else min(len(self.choices), 2)
        member = _MEMBER_COST if self.action == "remove" and isinstance(steps[-1], int) else 0
        return _ACTION_COST[self.action] + more + member + (_DESCRIBING_COST if describes(self.path) else 0)

    def with_value(self, value: Json) -> Fix:
        """Return the change with a value; one that removes has none."""
        return Fix(self.action, self.path, None if self.action == "remove" else value)


CandidateFixes = tuple[CandidateFix, ...]


def merged(one: CandidateFix, two: CandidateFix) -> CandidateFix | None:
    """Return one change that does what two of the same value do; None where they contradict each other."""
    if one == two:
        return one
    both = [each.meets for each in (one, two) if each.meets is not None]

    def meets(value: Json) -> bool:
        return all(each(value) for each in both)

    removed = "remove" in (one.action, two.action)
    if removed and meets(None):
        return CandidateFix("remove", one.path, words=one.words, meets=meets)
    choices = tuple(each for each in _distinct(one.choices + two.choices) if meets(each))
    probes = tuple(each for each in _distinct([*one.probes, *two.probes, *_joined(one, two)]) if meets(each))
    if not choices and not probes:
        return None
    return CandidateFix("set", one.path, choices, probes, _joined_words(one.words, two.words), meets=meets)


def _distinct(values: "tuple[Json, ...] | list[Json]") -> list[Json]:
    return list({hashable(each): each for each in values}.values())


def _joined(one: CandidateFix, two: CandidateFix) -> list[str]:
    """Return texts made of a value of each: what starts with one thing and contains another."""
    pairs = ((left, right) for left in (*one.choices, *one.probes) for right in (*two.choices, *two.probes))
    return [f"{left}{right}" for left, right in pairs if isinstance(left, str) and isinstance(right, str)]


def _joined_words(one: str, two: str) -> str:
    if one == "set":
        return two
    return one if two == "set" or two in one.split(" and ") else f"{one} and {two}"
