"""Generate one function out of the rules that a type of resource often meets; it reads each property once.

Only conditions that need nothing but the body and constants are generated, and only for bodies that were read
completely: two-valued logic is then exact. The source text consists of fixed fragments and generated names;
everything that comes from a policy (keys, values, checks) reaches the function through its namespace and never becomes
source.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from shared.domain.resource import Json
from shared.engine.compile.clause import CompiledClause, PlainCondition
from shared.engine.compile.path import path_segments
from shared.engine.unknown import get_member

GeneratedFunction = Callable[[dict[str, Json], Callable[[int], None]], None]
_ANY_MEMBER = {("greater", 0), ("greaterOrEquals", 1), ("notEquals", 0)}
_NO_MEMBER = {("equals", 0), ("less", 1), ("lessOrEquals", 0)}
"""Comparisons of a count that ask for any member at all, or for none."""
_CHEAP_OPERATORS = frozenset({"equals", "notEquals", "in", "notIn", "exists"})
_COSTLY_CONDITIONS = 64
_PATH_STEPS = 64


def is_plain(clause: CompiledClause) -> bool:
    """Return whether code can be generated for a rule.

    Generated code counts no steps. What could take time beyond bounds is not for it: inside a count reading anything
    but its own members, again for every member; many conditions inside counts or on whole texts.
    """
    return _is_plain(clause, None) and sum(_costly(clause, counted=False)) <= _COSTLY_CONDITIONS


def _is_plain(clause: CompiledClause, member: int | None) -> bool:
    """Return whether every condition is plain; `member` is the slot of the innermost count around."""
    if clause.always is not None:
        return True
    if clause.kind in {"field", "count"}:
        plain = clause.plain
        if plain is None or _deep(plain) or (member is not None and _start(plain) != member):
            return False
        member = plain.levels[-1][2] if plain.levels else member
    elif clause.kind == "value":
        return False
    return all(_is_plain(part, member) for part in clause.parts)


def _start(plain: PlainCondition) -> int | None:
    """Return the slot of the member that a condition reads below; None for the body."""
    if plain.levels:
        return plain.levels[0][0]
    return plain.reader.slot if plain.reader is not None else None


def _deep(plain: PlainCondition) -> bool:
    reader = plain.reader
    size = 0 if reader is None else len(reader.keys or ()) + (reader.rest or "").count(".")
    return size > _PATH_STEPS or any(len(keys) > _PATH_STEPS for _, keys, _ in plain.levels)


def _costly(clause: CompiledClause, *, counted: bool) -> Iterator[bool]:
    """Yield one answer for each condition: whether it is evaluated for many members or looks at whole texts."""
    if clause.kind == "field" and clause.always is None:
        yield counted or clause.operator not in _CHEAP_OPERATORS
    for part in clause.parts:
        yield from _costly(part, counted=counted or clause.kind == "count")


def generate_function(rules: Iterable[tuple[int, CompiledClause]]) -> GeneratedFunction:
    """Return one function for several plain rules: it calls `hit(number)` for every rule that is true of a body."""
    source, names = generate_source(rules)
    exec(compile(source, "<generated rules>", "exec"), names)  # noqa: S102 - fixed fragments and generated names only
    return names["generated"]  # type: ignore[no-any-return]


def generate_source(rules: Iterable[tuple[int, CompiledClause]]) -> tuple[str, dict[str, Any]]:
    """Return the source text of the function, and the namespace that holds everything that comes from the policies."""
    writer = _Writer()
    tests = [f" if {writer.condition(clause)}: hit({number:d})" for number, clause in rules]
    return "\n".join(["def generated(body, hit):", *writer.reads, *tests, " return"]), writer.names


def read_member(node: Json, key: str, low: str) -> Json:
    """Return one member of an object in whatever spelling."""
    if node.__class__ is not dict:
        return None
    value = node.get(key)
    return get_member(node, low) if value is None else value


class _Writer:
    """Writes the source: the shared reads of the body first, then one test per rule."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"pick": get_member, "read": read_member}
        self.reads: list[str] = []
        self.known: dict[tuple[str, ...], str] = {(): "body"}
        self.members: dict[int, str] = {}
        self.shared: dict[int, dict[tuple[str, ...], str]] = {}
        self.number = 0

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def constant(self, value: Any) -> str:  # noqa: ANN401 - any value, key or check
        name = self.name("k")
        self.names[name] = value
        return name

    def condition(self, clause: CompiledClause) -> str:
        if clause.always is not None:
            return "True" if clause.always else "False"
        if clause.kind in {"allOf", "anyOf"}:
            settled = clause.kind == "allOf"
            word = " and " if settled else " or "
            return f"({word.join(self.condition(each) for each in clause.parts if each.always is None)})"
        if clause.kind == "not":
            return f"(not {self.condition(clause.parts[0])})"
        assert clause.plain is not None
        return self.count(clause, clause.plain) if clause.kind == "count" else self.field(clause, clause.plain)

    def field(self, clause: CompiledClause, plain: PlainCondition) -> str:
        reader = plain.reader
        assert reader is not None
        if reader.many:
            return self.collection(clause, plain, reader.slot, reader.rest or "")
        if reader.slot is None:
            keys = reader.keys if reader.keys is not None else tuple((reader.rest or "").split("."))
            return self.test(clause, plain, self.root(keys))
        keys = tuple(key for key in (reader.rest or "").split(".") if key)
        return self.test(clause, plain, self.leaf(reader.slot, keys))

    def root(self, keys: tuple[str, ...]) -> str:
        """Return a local that holds the value at a path of the body, read once."""
        if keys not in self.known:
            base = self.root(keys[:-1])
            name = self.known[keys] = self.name("v")
            # The policy's spelling is tried first: it nearly always is the resource's, and one lookup is all it takes.
            key, lower = self.constant(keys[-1]), self.constant(keys[-1].lower())
            self.reads += [
                f" if {base}.__class__ is dict:",
                f"  {name} = {base}.get({key})",
                f"  if {name} is None: {name} = pick({base}, {lower})",
                f" else: {name} = None",
            ]
        return self.known[keys]

    def leaf(self, slot: int, keys: tuple[str, ...]) -> str:
        """Return an expression for the value at a path below a counted member; its parent is read once per member."""
        if not keys:
            return self.members[slot]
        base = self.members[slot]
        if len(keys) > 1:
            above = keys[:-1]  # as spelled: members that differ in case only are two
            base = self.shared[slot].get(above) or self.shared[slot].setdefault(above, self.name("p"))
            self.names[base] = above
        value, key, lower = self.name("x"), self.constant(keys[-1]), self.constant(keys[-1].lower())
        found = f"({value} if ({value} := {base}.get({key})) is not None else pick({base}, {lower}))"
        return f"({found} if {base}.__class__ is dict else None)"

    def below(self, base: str, keys: tuple[str, ...]) -> str:
        """Return an expression for the value at a path below a member, fit to be looped over."""
        for key in keys:
            base = f"read({base}, {self.constant(key)}, {self.constant(key.lower())})"
        return base

    def test(self, clause: CompiledClause, plain: PlainCondition, value: str) -> str:
        """Return an expression that tests a value: strings inline, everything else by the operator's own check."""
        check = self.constant(plain.check)
        if clause.operator == "exists":
            present = str(plain.expected).lower() == "true"
            return f"({value} is {'not ' if present else ''}None)"
        writer = _INLINE_WRITERS.get(clause.operator)
        # Locations compare in a normalized spelling, which only their own check knows.
        if writer is None or clause.field.lower() == "location":
            return f"{check}({value})"
        if value.isidentifier():
            return writer(self, plain, value, value, check)
        # The test may use the value several times; it is computed once.
        local = self.name("w")
        return writer(self, plain, f"({local} := {value})", local, check)

    def collection(self, clause: CompiledClause, plain: PlainCondition, slot: int | None, rest: str) -> str:
        """Return the implicit all-of over the members on a path: no member that fails."""
        parts = path_segments(rest)
        source = self.root(parts[0]) if slot is None else self.below(self.members[slot], parts[0])
        loops: list[tuple[int, str]] = []
        for keys in parts[1:]:
            inner = -1 - len(self.members)  # a slot of its own, apart from those of counts
            member = self.members[inner] = self.name("m")
            self.shared[inner] = {}
            loops.append((inner, f" for {member} in {self.listed(source)}"))
            value, source = self.leaf(inner, keys), self.below(member, keys)
        test = self.test(clause, plain, value)
        # One zero for each member that fails: a list comprehension is the fastest loop that Python has.
        return f"([0{self.looped(loops)} if not {test}] == [])"

    def looped(self, loops: list[tuple[int, str]]) -> str:
        return "".join(loop + self.hoisted(slot) for slot, loop in loops)

    def listed(self, array: str) -> str:
        if array.isidentifier():
            return f"({array} if {array}.__class__ is list else ())"
        return f"{self.constant(_members)}({array})"

    def count(self, clause: CompiledClause, plain: PlainCondition) -> str:
        loops: list[tuple[int, str]] = []
        for start, keys, slot in plain.levels:
            array = self.root(keys) if start is None else self.below(self.members[start], keys)
            member = self.members[slot] = self.name("m")
            self.shared[slot] = {}
            loops.append((slot, f" for {member} in {self.listed(array)}"))
        where = f" if {self.condition(clause.parts[0])}" if clause.parts else ""
        found = f"[0{self.looped(loops)}{where}]"
        expected = (clause.operator, plain.expected) if plain.expected.__class__ is int else None
        if expected in _ANY_MEMBER:
            return f"({found} != [])"
        if expected in _NO_MEMBER:
            return f"({found} == [])"
        return f"{self.constant(plain.check)}(len({found}))"

    def hoisted(self, slot: int) -> str:
        """Return the reads that the conditions on one counted member share."""
        member = self.members[slot]
        reads = [(name, self.below(member, self.names.pop(name))) for name in self.shared[slot].values()]
        # A loop over one value binds a name inside a comprehension, where no statement can stand.
        return "".join(f" for {name} in [{value}]" for name, value in reads)


def _members(array: Json) -> Json:
    return array if array.__class__ is list else ()


def _equals(writer: _Writer, plain: PlainCondition, first: str, value: str, check: str) -> str:
    expected = plain.expected
    if isinstance(expected, bool):  # the two booleans of JSON are singletons; text such as "true" is for the check
        return f"({first} is {expected} or {value} is not {not expected} and {check}({value}))"
    if not isinstance(expected, str):
        return f"{check}({first})"
    exact, low, size = writer.constant(expected), writer.constant(expected.lower()), len(expected.lower())
    # No text grows shorter in lower case: one that is longer differs, and lower(), the costly part, is left out.
    same = f"len({value}) <= {size:d} and {value}.lower() == {low}"
    return f"({first} == {exact} or (({same}) if {value}.__class__ is str else {check}({value})))"


def _not_equals(writer: _Writer, plain: PlainCondition, first: str, value: str, check: str) -> str:
    expected = plain.expected
    if isinstance(expected, bool):
        return f"({first} is not {expected} and ({value} is {not expected} or {check}({value})))"
    if not isinstance(expected, str):
        return f"{check}({first})"
    exact, low, size = writer.constant(expected), writer.constant(expected.lower()), len(expected.lower())
    differs = f"len({value}) > {size:d} or {value}.lower() != {low}"
    return f"({first} != {exact} and (({differs}) if {value}.__class__ is str else {check}({value})))"


def _in(writer: _Writer, plain: PlainCondition, first: str, value: str, check: str) -> str:
    if not all(isinstance(each, str) for each in plain.expected):
        return f"{check}({first})"
    exact = writer.constant(frozenset(plain.expected))
    low = writer.constant(frozenset(each.lower() for each in plain.expected))
    size = max(len(each.lower()) for each in plain.expected) if plain.expected else 0
    known = f"{value} in {exact} or len({value}) <= {size:d} and {value}.lower() in {low}"
    return f"(({known}) if {first}.__class__ is str else {check}({value}))"


def _not_in(writer: _Writer, plain: PlainCondition, first: str, value: str, check: str) -> str:
    if not all(isinstance(each, str) for each in plain.expected):
        return f"{check}({first})"
    exact = writer.constant(frozenset(plain.expected))
    low = writer.constant(frozenset(each.lower() for each in plain.expected))
    size = max(len(each.lower()) for each in plain.expected) if plain.expected else 0
    foreign = f"{value} not in {exact} and (len({value}) > {size:d} or {value}.lower() not in {low})"
    return f"(({foreign}) if {first}.__class__ is str else {check}({value}))"


def _ordered(sign: str) -> Callable[["_Writer", PlainCondition, str, str, str], str]:
    def write(writer: _Writer, plain: PlainCondition, first: str, value: str, check: str) -> str:
        if plain.expected.__class__ is not int:
            return f"{check}({first})"
        bound = writer.constant(
            plain.expected
        )  # a class of exactly int leaves out booleans, which Python counts as ints
        return f"({value} {sign} {bound} if {first}.__class__ is int else {check}({value}))"

    return write


_INLINE_WRITERS: dict[str, Callable[[_Writer, PlainCondition, str, str, str], str]] = {
    "equals": _equals,
    "notEquals": _not_equals,
    "in": _in,
    "notIn": _not_in,
    "less": _ordered("<"),
    "lessOrEquals": _ordered("<="),
    "greater": _ordered(">"),
    "greaterOrEquals": _ordered(">="),
}
