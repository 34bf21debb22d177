"""Look for what would make a resource compliant: the property changes that turn a rule's answer around, cheapest first.

Only what a change of properties can do is offered: type, name, id, kind and location of a resource are not changed.
"""

from typing import override

from shared.domain.resource import Json
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.path import NO_INDEXES, MemberIndexes, indexed_path
from shared.engine.error import EvaluationError
from shared.engine.explain.condition_fix import condition_fix
from shared.engine.explain.fix import CandidateFix, Fix, is_read_only
from shared.engine.explain.fix_set import FixOptions, cheapest, combined
from shared.engine.explain.member_search import MemberSearch
from shared.engine.explain.place import member_paths
from shared.engine.explain.rule_source import IMMUTABLE_FIELDS
from shared.engine.explain.sentence import OPPOSITE_OPERATORS, condition_words
from shared.engine.language.comparison import operator_check
from shared.engine.unknown import Unknown

_VALUE_PROBES: tuple[Json, ...] = ("example", 1, [], ["example"], True, False)


class FixSearch(MemberSearch):
    """The changes to one resource, as a frame has it."""

    @override
    def options(self, clause: CompiledClause, *, wanted: bool, at: MemberIndexes = NO_INDEXES) -> FixOptions:
        try:
            if clause.test(self.frame.body, self.frame) is wanted:
                return [()]
            return cheapest(self._ways_of(clause, wanted=wanted, at=at))
        except EvaluationError:
            return []

    def _ways_of(self, clause: CompiledClause, *, wanted: bool, at: MemberIndexes) -> FixOptions:
        match clause.kind:
            case "not":
                return self.options(clause.parts[0], wanted=not wanted, at=at)
            case "allOf" | "anyOf":
                parts = [self.options(part, wanted=wanted, at=at) for part in clause.parts]
                every = (clause.kind == "allOf") is wanted
                return combined(parts) if every else [option for part in parts for option in part]
            case "count":
                return self.count_options(clause, wanted=wanted, at=at)
            case "field":
                return self._field(clause, wanted=wanted, at=at)
            case _:
                return self._value(clause, wanted=wanted)

    def _field(self, clause: CompiledClause, *, wanted: bool, at: MemberIndexes) -> FixOptions:
        if clause.resolved is None or not self._may_change(clause.field.lower(), clause.resolved):
            return []
        assert clause.expect is not None
        assert clause.observe is not None
        expected, observed = (side(self.frame.body, self.frame) for side in (clause.expect, clause.observe))
        if isinstance(expected, Unknown):
            return []
        path = indexed_path(clause.resolved, at)
        if clause.many:
            return self._members(clause, observed, expected, path, wanted=wanted)
        return _one(condition_fix(path, clause.operator, expected, wanted=wanted, observed=observed))

    def _may_change(self, field: str, path: str) -> bool:
        """Return whether people can set a property; a new resource has some that cannot be changed later."""
        return field != "type" if self.is_new else field not in IMMUTABLE_FIELDS and not is_read_only(path)

    def _members(
        self, clause: CompiledClause, values: list[Json], expected: Json, path: str, *, wanted: bool
    ) -> FixOptions:
        """Return the changes to an implicit all-of: every failing member has to change, or one of the others."""
        check = operator_check(clause.operator, expected)
        places = list(member_paths(self.frame.body, path))
        if len(places) != len(values):
            return []
        pairs = zip(places, values, strict=True)
        chosen = [(place, value) for place, value in pairs if (check(value) is True) is not wanted]
        ways = [
            _one(condition_fix(place, clause.operator, expected, wanted=wanted, observed=value))
            for place, value in chosen
        ]
        if wanted:
            return combined(ways) if ways else []
        new = condition_fix(path, clause.operator, expected, wanted=False)
        return [*(way for each in ways for way in each), *_one(new and _as_member(new))]

    def _value(self, clause: CompiledClause, *, wanted: bool) -> FixOptions:
        """Return changes of the properties that an expression reads, each shown to turn its condition around."""
        assert clause.expect is not None
        expected = clause.expect(self.frame.body, self.frame)
        if isinstance(expected, Unknown) or clause.operator == "exists":
            return []
        holds = clause.operator if wanted else OPPOSITE_OPERATORS[clause.operator]
        words = f"a value for which {self.source.expression(clause.path)} is {condition_words(holds, expected)}"
        members = self.source.is_of_members(clause.path)
        found: FixOptions = []
        for path in self.source.value_paths(clause.path, self.frame):
            # What the condition names is what the expression gives, which need not be of the property's type.
            first = None if members else condition_fix(path, clause.operator, expected, wanted=wanted)
            named = (*(first.choices if first else ()), *self.source.literals(clause.path))
            others = (*(first.probes if first else ()), *_VALUE_PROBES)
            others = tuple(each for each in others if not (members and isinstance(each, bool | int)))
            choices = self._turning(clause, path, named, wanted=wanted)
            probes = self._turning(clause, path, others, wanted=wanted)
            # Where nothing but no members will do, that is the value.
            if not choices and probes == ([],):
                choices = probes
            if self.source.is_emptiness(clause.path) and probes and probes != ([],):
                words = "set"
            if choices or probes:
                found.append((CandidateFix("set", path, choices, probes, words),))
        return found

    def _turning(
        self, clause: CompiledClause, path: str, values: tuple[Json, ...], *, wanted: bool
    ) -> tuple[Json, ...]:
        """Return the values of a property with which a condition answers as wanted."""
        found: list[Json] = []
        for value in values:
            search = self.after([Fix("set", path, value)]) if value not in (None, "") else None
            try:
                if search is not None and clause.test(search.frame.body, search.frame) is wanted:
                    found.append(value)
            except EvaluationError:
                continue
        return tuple(found)


def _as_member(fix: CandidateFix) -> CandidateFix | None:
    """Return the addition of a member in place of a change of one; None below several arrays."""
    array, _, below = fix.path.partition("[*]")
    if "[*]" in below or fix.action == "remove":
        return None
    choices, probes = (tuple(_nested(below, each) for each in values) for values in (fix.choices, fix.probes))
    return CandidateFix("add", array, choices, probes, f"where {below.lstrip('.') or 'it'} is {fix.words}")


def _nested(path: str, value: Json) -> Json:
    """Return a value below the keys of a path."""
    for key in reversed([each for each in path.split(".") if each]):
        value = {key: value}
    return value


def _one(fix: CandidateFix | None) -> FixOptions:
    return [] if fix is None else [(fix,)]
