"""Frameworks: standards and laws with their controls, how each control stands, and what that adds up to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from shared.domain.error import NotFound
from shared.domain.model import AnyCase, Model
from shared.domain.page import PageRequest
from shared.domain.policy import Severity
from shared.domain.state_counts import StateCounts, state_counts
from shared.domain.verdict import State

SEVERITY_WEIGHTS: Mapping[Severity, int] = {
    Severity.CRITICAL: 8,
    Severity.HIGH: 4,
    Severity.MEDIUM: 2,
    Severity.LOW: 1,
}
"""How much an evaluation of a policy weighs in a weighted score."""


class Responsibility(StrEnum):
    """The party that shows that a control is met: a policy, a person who attests it, or the cloud's provider."""

    AUTOMATED = "automated"
    MANUAL = "manual"
    PROVIDER = "provider"


class FrameworkControl(Model):
    """One control of a framework; `title` is a paraphrase, the publisher's text is at the framework's `url`."""

    id: str = Field(min_length=1)
    title: str = Field(min_length=1)
    family: str = Field(min_length=1)
    responsibility: Responsibility
    baselines: tuple[str, ...] = Field(default=(), description="the baselines of the framework that it is part of")


class Framework(Model):
    """A standard or law and its controls. `note` says which part of it the list covers."""

    id: str
    title: str
    version: str
    url: str = Field(pattern=r"^https://")
    note: str = ""
    controls: tuple[FrameworkControl, ...]

    def within(self, baseline: str | None) -> Self:
        """Return the framework with the controls of one of its baselines alone; as it is for None.

        Raises:
            NotFound: it has no such baseline.
        """
        if baseline is None:
            return self
        kept = tuple(each for each in self.controls if baseline in each.baselines)
        if not kept:
            there = sorted({name for each in self.controls for name in each.baselines})
            choice = f"it has {', '.join(there)}" if there else "it has none"
            raise NotFound(f"{self.id} has no baseline {baseline[:80]}; {choice}", path="baseline")
        return self.model_copy(update={"controls": kept})


class ControlKind(StrEnum):
    """How it is shown that a control is met."""

    AUTOMATED = "automated"
    """Policies in force are mapped to it."""
    ATTESTED = "attested"
    """A person attests it."""
    INHERITED = "inherited"
    """The cloud's provider shows it."""
    NOT_MAPPED = "notMapped"
    """A policy could show it, and none in force is mapped to it."""


class ControlState(StrEnum):
    """How a control stands."""

    MET = "met"
    NOT_MET = "notMet"
    UNKNOWN = "unknown"
    EXEMPT = "exempt"
    NOT_ASSESSED = "notAssessed"


class ControlPolicy(StateCounts):
    """A policy in force that is mapped to a control, and what its evaluations say of the control."""

    policy: str = Field(description="the name of the definition")
    assignment: AnyCase
    reference: str
    title: str
    severity: Severity
    state: ControlState
    decides: bool = Field(description="whether the state of the control is that of this policy")


class MappedPolicy(StateCounts):
    """A policy in force with its evaluations, and the controls of one framework that it is mapped to."""

    policy: str
    assignment: AnyCase
    reference: str
    title: str
    severity: Severity
    controls: tuple[str, ...]

    @classmethod
    def counted(cls, states: Mapping[str, int], **described: Any) -> Self:  # noqa: ANN401 - the other members
        """Return one with its evaluations counted by state."""
        return cls.model_validate({**state_counts(states), **described})


class ControlSummary(StateCounts):
    """One control: how it is shown, how it stands and why, over the policies in force that are mapped to it."""

    id: str
    title: str
    family: str
    baselines: tuple[str, ...]
    kind: ControlKind
    state: ControlState
    reason: str = Field(description="why it stands so")
    policies: tuple[ControlPolicy, ...]


class FrameworkSummary(StateCounts):
    """One framework: its controls by state and by kind, and the evaluations of all policies mapped to it."""

    id: str
    title: str
    version: str
    url: str
    note: str = Field(description="which part of the standard its list of controls covers")
    control_count: int
    states: Mapping[ControlState, int] = Field(description="controls by state")
    kinds: Mapping[ControlKind, int] = Field(description="controls by how they are shown")
    not_assessable: int = Field(description="controls that no policy in force shows: all kinds but automated")
    weighted_score: float | None = Field(
        description="the score with evaluations weighing 8, 4, 2 or 1, by the severity of their policy; null as there"
    )


class ControlListing(PageRequest):
    """Chooses controls of a framework; all conditions hold."""

    state: tuple[ControlState, ...] = ()
    kind: tuple[ControlKind, ...] = ()
    family: str | None = Field(default=None, description="only of this family, by its whole name")
    baseline: str | None = Field(default=None, description="only those of this baseline: low, moderate or high of NIST")

    def has(self, control: ControlSummary) -> bool:
        """Return whether a control matches; the baseline has chosen among them before."""
        return (
            (not self.state or control.state in self.state)
            and (not self.kind or control.kind in self.kind)
            and self.family in (None, control.family)
        )


def control_summaries(framework: Framework, policies: Iterable[MappedPolicy]) -> list[ControlSummary]:
    """Return how each control of a framework stands, in its order; `policies` are those that are mapped to it."""
    mapped = _by_control(policies)
    return [_control_summary(each, mapped.get(each.id, ())) for each in framework.controls]


def account(framework: Framework, policies: Iterable[MappedPolicy]) -> FrameworkSummary:
    """Return what the controls of a framework add up to; a policy that is mapped to several of them counts once."""
    ids = {each.id for each in framework.controls}
    mapped = [each for each in policies if not ids.isdisjoint(each.controls)]
    by_control = _by_control(mapped)
    kinds = Counter(_kind(each, by_control.get(each.id, ())) for each in framework.controls)
    # Of the many controls that no policy is mapped to, nothing is added up: a page shows all frameworks at once.
    states = Counter(_state(_sum(by_control[each])) for each in ids & by_control.keys())
    states[ControlState.NOT_ASSESSED] += len(ids - by_control.keys())
    return FrameworkSummary(
        **dict(_sum(mapped)),
        **framework.model_dump(exclude={"controls"}),
        control_count=len(framework.controls),
        states={each: states[each] for each in ControlState},
        kinds={each: kinds[each] for each in ControlKind},
        not_assessable=len(framework.controls) - kinds[ControlKind.AUTOMATED],
        weighted_score=_weighted_score(mapped),
    )


def _by_control(policies: Iterable[MappedPolicy]) -> dict[str, list[MappedPolicy]]:
    mapped: dict[str, list[MappedPolicy]] = {}
    for each in sorted(policies, key=lambda each: (each.policy, each.assignment, each.reference)):
        for control in each.controls:
            mapped.setdefault(control, []).append(each)
    return mapped


def _control_summary(control: FrameworkControl, policies: Sequence[MappedPolicy]) -> ControlSummary:
    counts = _sum(policies)
    kind, state = _kind(control, policies), _state(counts)
    return ControlSummary(
        **dict(counts),
        **control.model_dump(exclude={"responsibility"}),
        kind=kind,
        state=state,
        reason=_reason(kind, state, counts),
        policies=tuple(_control_policy(each, state) for each in policies),
    )


def _control_policy(policy: MappedPolicy, decided: ControlState) -> ControlPolicy:
    state = _state(policy)
    decides = state is decided is not ControlState.NOT_ASSESSED
    return ControlPolicy(**policy.model_dump(exclude={"controls"}), state=state, decides=decides)


def _kind(control: FrameworkControl, policies: Sequence[MappedPolicy]) -> ControlKind:
    if policies:
        return ControlKind.AUTOMATED
    return {
        Responsibility.AUTOMATED: ControlKind.NOT_MAPPED,
        Responsibility.MANUAL: ControlKind.ATTESTED,
        Responsibility.PROVIDER: ControlKind.INHERITED,
    }[control.responsibility]


def _state(counts: StateCounts) -> ControlState:
    """Return the state that evaluations come to: one violation outweighs all else, and what is unknown what is met."""
    if counts.non_compliant:
        return ControlState.NOT_MET
    if counts.unknown or counts.error:
        return ControlState.UNKNOWN
    if counts.compliant:
        return ControlState.MET
    return ControlState.EXEMPT if counts.exempt else ControlState.NOT_ASSESSED


def _reason(kind: ControlKind, state: ControlState, counts: StateCounts) -> str:
    made = sum(dict(counts)[name] for name in ("compliant", "non_compliant", "unknown", "exempt", "error"))
    if state is ControlState.NOT_MET:
        return f"{counts.non_compliant:,} of {made:,} evaluations are non-compliant"
    if state is ControlState.UNKNOWN:
        return f"{counts.unknown + counts.error:,} of {made:,} evaluations are unknown or failed"
    if state is ControlState.EXEMPT:
        return f"{made:,} evaluations are exempt, and there are no others"
    if state is ControlState.MET:
        others = f", and {counts.exempt:,} exempt" if counts.exempt else ""
        return f"{counts.compliant:,} of {made:,} evaluations are compliant{others}"
    return {
        ControlKind.AUTOMATED: "there is no resource that its policies are about",
        ControlKind.ATTESTED: "a person attests it, and nobody has",
        ControlKind.INHERITED: "the cloud's provider shows it",
        ControlKind.NOT_MAPPED: "no policy in force is mapped to it",
    }[kind]


def _sum(policies: Iterable[StateCounts]) -> StateCounts:
    """Return all evaluations of some policies."""
    states: Counter[str] = Counter()
    for each in policies:
        states[State.COMPLIANT] += each.compliant
        states[State.NON_COMPLIANT] += each.non_compliant
        states[State.UNKNOWN] += each.unknown
        states[State.EXEMPT] += each.exempt
        states[State.ERROR] += each.error
    return StateCounts.model_validate(state_counts(states))


def _weighted_score(policies: Iterable[MappedPolicy]) -> float | None:
    compliant = settled = 0
    for each in policies:
        weight = SEVERITY_WEIGHTS[each.severity]
        compliant += weight * each.compliant
        settled += weight * (each.compliant + each.non_compliant)
    return round(100 * compliant / settled, 1) if settled else None
