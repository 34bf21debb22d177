"""Evaluations counted by state, and the percentages that follow: defined here once, explained in docs/compliance.md."""

from collections.abc import Iterable, Mapping

from pydantic import Field

from shared.domain.estate import Counts
from shared.domain.model import Model
from shared.domain.verdict import State


class StateCounts(Model):
    """Evaluations by state, the percentage of compliant ones among those with a result, and Azure's percentage."""

    compliant: int = 0
    non_compliant: int = 0
    unknown: int = 0
    exempt: int = 0
    error: int = 0
    score: float | None = Field(
        default=None, description="compliant / (compliant + nonCompliant) in percent; null without any of them"
    )
    azure_percentage: float | None = Field(
        default=None,
        description="(compliant + exempt + unknown) / all in percent, which is Azure Policy's formula; the portal "
        "applies it to resources, each in its worst state, and this to evaluations; null without any",
    )


def state_counts(states: Mapping[str, int]) -> dict[str, int | float | None]:
    """Return the fields of `StateCounts` from a count by state."""
    compliant, wrong = states.get(State.COMPLIANT, 0), states.get(State.NON_COMPLIANT, 0)
    # Unknown, exempt and failed pairs say nothing about compliance, so the score leaves them out.
    settled = compliant + wrong
    unknown, exempt, error = (states.get(each, 0) for each in (State.UNKNOWN, State.EXEMPT, State.ERROR))
    # Azure's percentage counts what is unknown or exempt as good. Source: "Azure Policy compliance states".
    good = compliant + exempt + unknown
    whole = good + wrong + error
    return {
        "compliant": compliant,
        "non_compliant": wrong,
        "unknown": unknown,
        "exempt": exempt,
        "error": error,
        "score": round(100 * compliant / settled, 1) if settled else None,
        "azure_percentage": round(100 * good / whole, 1) if whole else None,
    }


def total(counts: Counts, names: Iterable[str] | None = None) -> dict[str, int]:
    """Return the counts of several names, or of all of them, added up by state."""
    added: dict[str, int] = {}
    for name in counts if names is None else names:
        for state, number in counts.get(name, {}).items():
            added[state] = added.get(state, 0) + number
    return added
