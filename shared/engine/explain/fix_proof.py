"""Prove fixes: each is carried out on a copy of the resource, which is judged again, before anybody is told of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import prod

from shared.domain.resource import Body, Json
from shared.domain.verdict import State
from shared.engine.explain.condition_fix import CHOICES
from shared.engine.explain.fix import CandidateFix, Fix, Fixes
from shared.engine.explain.fix_application import apply_fixes
from shared.engine.explain.fix_set import FixOptions
from shared.engine.explain.fix_text import exact_text, in_words
from shared.engine.explain.place import named_place, open_path, path_steps, value_at
from shared.engine.value import hashable

SETTLED_STATES = frozenset({State.COMPLIANT, State.NOT_APPLICABLE})
"""States after what a policy itself changes: it may be only about resources that do not have what it wants."""
ROUNDS = 3
"""Times that what a change brings about is changed again."""
_OPTION_TRIES, _STARTS, _REDUCED_FIXES = 24, 3, 12
_ALTERNATIVE_TRIES = 60
"""Combinations of values that are judged for each change before others are offered besides the first."""
TriedFixes = tuple[tuple[Fix, CandidateFix], ...]


@dataclass(frozen=True)
class FixTarget:
    """A body that may be changed: the state that a changed one leads to, and what to try on it.

    `named` has the values that conditions of the rule name for a property, by its path with stars in lower case.
    `name` is what people call the resource that has the body, "" where it is the one that is explained.
    """

    body: Body
    state: Callable[[Body], State]
    options: Callable[[Body], FixOptions]
    named: Mapping[str, Sequence[Json]]
    name: str = ""

    def place(self, fix: Fix) -> str:
        """Return what people call the place of a change."""
        return named_place(self.body, fix.path) + (f" of {self.name}" if self.name else "")


def prove_exact(target: FixTarget, fixes: Iterable[Fix]) -> Fixes:
    """Return what a policy itself changes, where nothing is left to find fault with; none where something is."""
    found = tuple(fixes)
    body = apply_fixes(target.body, found) if found else None
    if body is None or target.state(body) not in SETTLED_STATES:
        return ()
    return tuple(exact_text(each, target.place(each)) for each in found)


def prove(target: FixTarget) -> Fixes | None:
    """Return the cheapest changes that are shown to make the resource compliant; None where none of those tried do."""
    starts: list[tuple[TriedFixes, Body]] = [((), target.body)]
    for _ in range(ROUNDS):
        following: list[tuple[TriedFixes, Body]] = []
        for done, body in starts:
            for attempt in _attempts(target, done, body):
                after = apply_fixes(target.body, [fix for fix, _ in attempt])
                state = State.ERROR if after is None else target.state(after)
                if state is State.COMPLIANT:
                    return _told(target, _reduced(target, attempt))
                if after is not None and state is State.NON_COMPLIANT:
                    following.append((attempt, after))
        starts = following[:_STARTS]
    return None


def _attempts(target: FixTarget, done: TriedFixes, body: Body) -> Iterator[TriedFixes]:
    """Yield what to try on a body that the changes `done` have led to, together with those."""
    for option in target.options(body):
        candidates = [_with_named(target, each) for each in option]
        values = ((*each.choices, *each.probes) or (None,) for each in candidates)
        places = {each.place for each in candidates}
        kept = [pair for pair in done if pair[1].place not in places]
        for chosen in islice(product(*values), _OPTION_TRIES):
            new = ((each.with_value(value), each) for each, value in zip(candidates, chosen, strict=True))
            yield (*kept, *new)


def _with_named(target: FixTarget, fix: CandidateFix) -> CandidateFix:
    """Return a change with the values that other conditions name for the same property, where it has none itself."""
    if fix.choices or fix.action != "set":
        return fix
    named = target.named.get(open_path(fix.path), ())
    distinct = {hashable(each): each for each in named}.values()
    choices = tuple(each for each in distinct if each not in (None, "") and (fix.meets is None or fix.meets(each)))
    return replace(fix, choices=choices[:CHOICES])


def _reduced(target: FixTarget, tried: TriedFixes) -> TriedFixes:
    """Leave out every change without which the resource complies as well."""
    if len(tried) > _REDUCED_FIXES:
        return tried
    kept = tried
    for pair in tried:
        fewer = tuple(each for each in kept if each is not pair)
        if fewer and _complies(target, [fix for fix, _ in fewer]):
            kept = fewer
    return kept


def _told(target: FixTarget, found: TriedFixes) -> Fixes:
    """Return changes as people are told them: an object is removed rather than the only property that it has.

    Other values are told only of those that comply too, with any of the other values of the changes before.
    """
    fixes = [fix for fix, _ in found]
    for at, fix in enumerate(fixes):
        wider = _wider(target, fix)
        if wider is not None and _complies(target, [*fixes[:at], wider, *fixes[at + 1 :]]):
            fixes[at] = wider
    told: list[Fix] = []
    offered: list[tuple[Fix, ...]] = []
    for at, (fix, (_, candidate)) in enumerate(zip(fixes, found, strict=True)):
        others = _alternatives(target, offered, fixes[at:], candidate) if len(fixes) <= _REDUCED_FIXES else ()
        offered.append((fix, *(replace(fix, value=each) for each in others)))
        told.append(in_words(replace(fix, alternatives=others), candidate, target.place(fix)))
    return tuple(told)


def _alternatives(
    target: FixTarget, before: Sequence[Sequence[Fix]], fixes: Sequence[Fix], candidate: CandidateFix
) -> tuple[Json, ...]:
    """Return the other values that the first of the fixes may set, whatever of what is offered `before` is chosen."""
    fix, *after = fixes
    others = [each for each in candidate.choices if each != fix.value]
    tries = len(others) * prod(map(len, before))
    if fix.action != "set" or fix.value not in candidate.choices or tries > _ALTERNATIVE_TRIES:
        return ()
    return tuple(
        value
        for value in others
        if all(_complies(target, [*chosen, replace(fix, value=value), *after]) for chosen in product(*before))
    )


def _wider(target: FixTarget, fix: Fix) -> Fix | None:
    """Return the removal of the object that has no property but the removed one, such as a reference to a resource."""
    above = fix.path.rpartition(".")[0]
    if fix.action != "remove" or "." not in above or above.endswith("properties"):
        return None
    inner = value_at(target.body, path_steps(above) or ())
    return replace(fix, path=above) if isinstance(inner, dict) and len(inner) == 1 else None


def _complies(target: FixTarget, fixes: Iterable[Fix]) -> bool:
    body = apply_fixes(target.body, fixes)
    return body is not None and target.state(body) is State.COMPLIANT
