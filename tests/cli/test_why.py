"""`cortex finding explain`: what is recorded of a finding, and what is judged now."""

from typing import Any

import pytest

from cli import finding, terminal
from cli.client import ApiError
from cli.explanation import print_explanation

NOW: dict[str, Any] = {
    "title": "HTTPS only",
    "reasons": [],
    "rationale": "",
    "controls": {},
    "missing": [],
    "fixes": [],
    "unfixable": "",
    "rule": None,
    "existence": None,
}
FOUND = {
    "id": "a.b",
    "title": "HTTPS only",
    "severity": "high",
    "state": "nonCompliant",
    "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/w",
    "owner": None,
    "evidence": [],
    "missing": [],
}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ({"state": "nonCompliant", "summary": "Not compliant: x."}, "\n  result    Not compliant: x."),
        ({"state": "unknown", "summary": "Unknown: y."}, "recorded as nonCompliant; evaluated now: Unknown: y."),
    ],
)
def test_what_is_recorded_and_what_is_judged_now_are_kept_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, now: Any, expected: str
) -> None:
    monkeypatch.setattr(finding.terminal.console, "width", 200)
    found: Any = FOUND
    finding._print_explanation(found, {**NOW, **now})  # type: ignore[typeddict-item]
    assert expected in capsys.readouterr().out


def reason(text: str, clause: str = "") -> dict[str, str]:
    return {"text": text, "clause": clause}


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, **now: Any) -> list[str]:
    monkeypatch.setattr(terminal.console, "width", 200)
    print_explanation({**NOW, "summary": "Said.", **now}, lambda clause: clause)
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_one_fact_has_one_line_with_all_its_conditions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ['a is "x (y)" (none of "b", "c")', 'a is "x (y)" (not "d (e)")', 'a is "x (y)"', "b is not set"]
    reasons = [reason(text, f"f:{at}") for at, text in enumerate(texts)]
    lines = printed(capsys, monkeypatch, state="nonCompliant", reasons=reasons)
    assert lines[1:3] == [
        'where     a is "x (y)" (none of "b", "c"; not "d (e)") · f:0, f:1, f:2',
        "where     b is not set · f:3",
    ]


def test_what_is_unknown_matters_as_what_is_violated_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    need = {"part": "related T/x", "reason": "forbidden", "permission": "T/x/read"}
    told = {"rationale": "Thieves.", "controls": {"f": ["1", "2"], "g": []}}
    assert printed(capsys, monkeypatch, state="unknown", missing=[need], **told) == [
        "what      HTTPS only",
        "not read  related T/x (forbidden; reading it takes T/x/read)",
        "why       Thieves.",
        "controls  f 1, 2",
    ]


def test_a_reason_that_repeats_the_title_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(capsys, monkeypatch, state="nonCompliant", title="Not met: HTTPS only", rationale="HTTPS only")
    assert lines == ["what      Not met: HTTPS only", "result    Said."]


@pytest.mark.parametrize("given", ["", " ", "a/b", "../../x"])
def test_what_no_id_can_be_is_refused_by_name(given: str) -> None:
    with pytest.raises(ApiError, match="is not an id"):
        finding.explain_finding(given)
