"""Look for changes to the members of arrays that bring a count to a number that answers as wanted."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Self

from shared.domain.resource import Json
from shared.engine.compile.clause import CompiledClause
from shared.engine.compile.count import UNBOUNDED_COUNT, turning_points
from shared.engine.compile.path import NO_INDEXES, MemberIndexes, indexed_path, member_indexes
from shared.engine.context import Frame
from shared.engine.error import EvaluationError
from shared.engine.explain.fix import CandidateFix, CandidateFixes, Fix, is_read_only
from shared.engine.explain.fix_application import apply_fixes
from shared.engine.explain.fix_set import FixOptions, combined, cost
from shared.engine.explain.place import path_steps, value_at
from shared.engine.explain.rule_source import RuleSource
from shared.engine.language.comparison import operator_check
from shared.engine.unknown import Unknown
from shared.engine.value import is_number

_MEMBER_TRIES = 12
_VARIED_MEMBERS = 8
"""Members to change up to which other ways than the cheapest are tried for each."""
_NEW_MEMBERS = 20
"""Members that are added at most."""


class MemberSearch(ABC):
    """The part of a search that is about counts. What `is_new` may have what nobody can change afterwards."""

    def __init__(self, frame: Frame, source: RuleSource, *, is_new: bool = False) -> None:
        self.frame, self.source, self.is_new = frame, source, is_new

    @abstractmethod
    def options(self, clause: CompiledClause, *, wanted: bool, at: MemberIndexes = NO_INDEXES) -> FixOptions:
        """Return sets of changes after each of which the clause answers `wanted`, the cheapest first; [] for none."""

    def after(self, fixes: Iterable[Fix], *, is_new: bool = False) -> Self | None:
        """Return the search in the body with fixes applied, at the same members; None where they cannot be applied."""
        body = apply_fixes(self.frame.resource.body, fixes)
        if body is None:
            return None
        frame = Frame(replace(self.frame.resource, body=body), self.frame.context, self.frame.origin)
        frame.slots, frame.place, frame.steps = list(self.frame.slots), self.frame.place, self.frame.steps
        return type(self)(frame, self.source, is_new=is_new or self.is_new)

    def count_options(self, clause: CompiledClause, *, wanted: bool, at: MemberIndexes) -> FixOptions:
        """Return changes to as few members as bring the count to a number that answers as wanted."""
        assert clause.observe is not None
        assert clause.expect is not None
        found, expected = (side(self.frame.body, self.frame) for side in (clause.observe, clause.expect))
        if not is_number(found) or isinstance(expected, Unknown):
            return []
        target = _target(int(found), clause.operator, expected, wanted=wanted)
        if target is None:
            return []
        missing = abs(target - int(found))
        ways = [each for each in self._ways(clause, more=target > found, at=at) if each]
        # The members that need the cheapest changes.
        chosen = sorted(ways, key=lambda each: cost(each[0]))[:missing]
        if missing > _VARIED_MEMBERS:
            chosen = [each[:1] for each in chosen]
        added = self._added(clause, missing, at) if target > found else ()
        options = combined(chosen) if len(chosen) == missing else []
        if len(added) == missing:
            options += [added, *combined([*chosen, [added[len(chosen) :]]])]
        return options

    def _ways(self, clause: CompiledClause, *, more: bool, at: MemberIndexes) -> list[FixOptions]:
        """Return, for each member on the wrong side, the changes that move it to the other; also its removal."""
        ways: list[FixOptions] = []
        where = clause.parts[0] if clause.parts else None

        def visit(indexes: tuple[int, ...]) -> None:
            if where is not None and (where.test(self.frame.body, self.frame) is True) is more:
                return
            place = member_indexes(clause.resolved, indexes, at)
            found = self.options(where, wanted=more, at=place) if where is not None else []
            path = indexed_path(clause.resolved, place) if clause.resolved else "[*]"
            if not more and "[*]" not in path:
                found = [*found, (CandidateFix("remove", path, words="not set"),)]
            ways.append(found)

        assert clause.each is not None
        clause.each(self.frame.body, self.frame, visit)
        return ways

    def _added(self, clause: CompiledClause, number: int, at: MemberIndexes) -> CandidateFixes:
        """Return members to add to an array; none where no member is known that would be counted."""
        path = indexed_path(clause.resolved or "", at)
        place = self.new_place(path) if path.endswith("[*]") and number <= _NEW_MEMBERS else None
        if place is None:
            return ()
        if not clause.parts:
            probes: tuple[Json, ...] = ("example", {"example": "example"})
            return tuple(CandidateFix("add", path.removesuffix("[*]"), (), probes, "", at) for at in range(number))
        words = f"where {self.source.phrase(clause.parts[0], self.frame)}"
        made = list(islice(self._new_members(clause, place, at), number))
        # The same member again, where the rule counts how many there are and not which.
        made += made[-1:] * (number - len(made))
        array = path.removesuffix("[*]")
        return tuple(
            CandidateFix("add", array, (value,) if named else (), () if named else (value,), words, ordinal)
            for ordinal, (value, named) in enumerate(made)
        )

    def new_place(self, path: str) -> str | None:
        """Return the path of a member that an array does not have yet; None for one in a further array."""
        before, _, after = path.partition("[*]")
        members = value_at(self.frame.body, path_steps(before) or ())
        return None if "[*]" in after else f"{before}[{len(members) if isinstance(members, list) else 0}]{after}"

    def _new_members(self, clause: CompiledClause, place: str, at: MemberIndexes) -> Iterator[tuple[Json, bool]]:
        """Yield members that would be counted, and whether all their values are ones that the rule names."""
        search = self.after([Fix("set", place, None)], is_new=True)
        options: FixOptions = []

        def visit(indexes: tuple[int, ...]) -> None:
            here = member_indexes(clause.resolved, indexes, at)
            if search is not None and indexed_path(clause.resolved or "", here) == place:
                options.extend(search.options(clause.parts[0], wanted=True, at=here))

        if search is None or clause.each is None:
            return
        clause.each(search.frame.body, search.frame, visit)
        for option in options:
            values = (each.choices + each.probes or (None,) for each in option)
            for tried in islice(product(*values), _MEMBER_TRIES):
                pairs = list(zip(option, tried, strict=True))
                body = apply_fixes(search.frame.resource.body, [each.with_value(value) for each, value in pairs])
                told = not any(is_read_only(each.path) for each in option)
                named = told and all(value is None or value in each.choices for each, value in pairs)
                if body is not None:
                    yield value_at(body, path_steps(place) or ()), named


def _target(found: int, operator: str, expected: Json, *, wanted: bool) -> int | None:
    """Return the number nearest to the present one that answers as wanted."""
    check = operator_check(operator, expected)
    try:
        good = [
            each for each in {0, *turning_points(expected)} if 0 <= each < UNBOUNDED_COUNT and check(each) is wanted
        ]
    except EvaluationError:
        return None
    return min(good, key=lambda each: (abs(each - found), each), default=None)
