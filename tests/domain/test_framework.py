"""How a control stands, from the evaluations of the policies that are mapped to it; what a framework adds up to."""

from collections.abc import Mapping

import pytest

from shared.domain.framework import (
    ControlKind,
    ControlState,
    Framework,
    FrameworkControl,
    MappedPolicy,
    Responsibility,
    account,
    control_summaries,
)
from shared.domain.policy import Severity

A, M, P = Responsibility.AUTOMATED, Responsibility.MANUAL, Responsibility.PROVIDER


def framework(**controls: Responsibility) -> Framework:
    listed = tuple(
        FrameworkControl(id=name, title=f"{name} is wished", family="F", responsibility=by)
        for name, by in controls.items()
    )
    return Framework(id="f", title="A framework, at length", version="1", url="https://example.org", controls=listed)


def mapped(name: str, *controls: str, severity: Severity = Severity.LOW, **states: int) -> MappedPolicy:
    return MappedPolicy.counted(
        states,
        policy=name,
        assignment="/assignments/a",
        reference=name,
        title=f"title of {name}",
        severity=severity,
        controls=controls,
    )


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ({"compliant": 3}, ControlState.MET),
        ({"compliant": 3, "nonCompliant": 1}, ControlState.NOT_MET),
        ({"compliant": 3, "nonCompliant": 1, "unknown": 9, "exempt": 9, "error": 9}, ControlState.NOT_MET),
        ({"compliant": 3, "unknown": 1}, ControlState.UNKNOWN),
        ({"compliant": 3, "error": 1}, ControlState.UNKNOWN),
        ({"unknown": 1, "exempt": 1}, ControlState.UNKNOWN),
        ({"compliant": 3, "exempt": 1}, ControlState.MET),
        ({"exempt": 1}, ControlState.EXEMPT),
        ({}, ControlState.NOT_ASSESSED),
    ],
)
def test_the_worst_evaluation_decides(states: Mapping[str, int], state: ControlState) -> None:
    (found,) = control_summaries(framework(c1=A), [mapped("p", "c1", **states)])
    assert (found.state, found.kind) == (state, ControlKind.AUTOMATED)


def test_policies_are_added_up_and_those_that_decide_are_marked() -> None:
    (found,) = control_summaries(
        framework(c1=A),
        [mapped("good", "c1", compliant=5), mapped("bad", "c1", nonCompliant=1), mapped("worse", "c1", nonCompliant=2)],
    )
    assert found.state is ControlState.NOT_MET
    assert [(each.policy, each.state, each.decides) for each in found.policies] == [
        ("bad", ControlState.NOT_MET, True),
        ("good", ControlState.MET, False),
        ("worse", ControlState.NOT_MET, True),
    ]
    assert found.reason == "3 of 8 evaluations are non-compliant"


def test_a_control_says_how_it_would_be_shown_and_why_it_is_not() -> None:
    found = control_summaries(framework(c1=A, c2=A, c3=M, c4=P), [mapped("p", "c1")])
    assert [(each.id, each.kind, each.state) for each in found] == [
        ("c1", ControlKind.AUTOMATED, ControlState.NOT_ASSESSED),
        ("c2", ControlKind.NOT_MAPPED, ControlState.NOT_ASSESSED),
        ("c3", ControlKind.ATTESTED, ControlState.NOT_ASSESSED),
        ("c4", ControlKind.INHERITED, ControlState.NOT_ASSESSED),
    ]
    assert [each.reason for each in found] == [
        "there is no resource that its policies are about",
        "no policy in force is mapped to it",
        "a person attests it, and nobody has",
        "the cloud's provider shows it",
    ]


def test_a_framework_counts_its_controls_and_hides_none() -> None:
    listed = framework(c1=A, c2=A, c3=A, c4=M, c5=P, c6=A)
    policies = [
        mapped("p1", "c1", compliant=1),
        mapped("p2", "c2", nonCompliant=1),
        mapped("p3", "c3", unknown=1),
    ]
    found = account(listed, policies)
    assert found.control_count == 6
    assert dict(found.states) == {"met": 1, "notMet": 1, "unknown": 1, "exempt": 0, "notAssessed": 3}
    assert dict(found.kinds) == {"automated": 3, "attested": 1, "inherited": 1, "notMapped": 1}
    assert found.not_assessable == 3, "nothing here can show these: no policy, a person, the provider"


def test_a_policy_of_several_controls_counts_once_in_the_score() -> None:
    policies = [mapped("p1", "c1", "c2", compliant=3), mapped("p2", "c2", nonCompliant=1)]
    found = account(framework(c1=A, c2=A), policies)
    assert (found.compliant, found.non_compliant, found.score) == (3, 1, 75.0)


def test_the_weighted_score_lets_severe_policies_weigh_more() -> None:
    policies = [
        mapped("minor", "c1", severity=Severity.LOW, compliant=8),
        mapped("grave", "c1", severity=Severity.CRITICAL, nonCompliant=1),
    ]
    found = account(framework(c1=A), policies)
    assert (found.score, found.weighted_score) == (88.9, 50.0)


def test_nothing_evaluated_is_no_score() -> None:
    found = account(framework(c1=A), [mapped("p", "c1", unknown=4)])
    assert (found.score, found.weighted_score) == (None, None)


def test_what_is_mapped_to_no_control_of_a_framework_is_not_in_it() -> None:
    found = account(framework(c1=A), [mapped("p", "c9", nonCompliant=4)])
    assert (found.non_compliant, found.states["notAssessed"]) == (0, 1)
