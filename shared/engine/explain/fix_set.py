"""Sets of changes that belong together, and how several demands are met by one set."""

from collections.abc import Hashable, Sequence

from shared.engine.explain.fix import CandidateFix, CandidateFixes, merged

OPTIONS = 6
"""Sets of changes that are kept for each clause."""
FixOptions = list[CandidateFixes]


def cost(fixes: CandidateFixes) -> int:
    """Return the cost of several changes."""
    return sum(each.cost for each in fixes)


def cheapest(options: FixOptions) -> FixOptions:
    """Return the cheapest sets, the best first."""
    return sorted(options, key=cost)[:OPTIONS] if len(options) > 1 else options


def combined(parts: Sequence[FixOptions]) -> FixOptions:
    """Return the sets that do what one set of each part does, without those that contradict themselves."""
    found: list[dict[Hashable, CandidateFix]] = [{}]
    for options in parts:
        # One way to go on: nothing to copy, so that thousands of changes are put together in one pass.
        if len(found) == len(options) == 1:
            found = [joined] if (joined := _join(found[0], options[0])) is not None else []
            continue
        pairs = (_join(dict(done), option) for done in found for option in options)
        kept = [each for each in pairs if each is not None]
        found = sorted(kept, key=lambda each: cost(tuple(each.values())))[:OPTIONS]
    return [tuple(each.values()) for each in found]


def _join(done: dict[Hashable, CandidateFix], fixes: CandidateFixes) -> dict[Hashable, CandidateFix] | None:
    """Add changes to others, of which it takes over the dictionary; None where two contradict each other."""
    for fix in fixes:
        known = done.get(fix.place)
        both = fix if known is None else merged(known, fix)
        if both is None:
            return None
        done[fix.place] = both
    return done
