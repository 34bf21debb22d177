"""`cortex finding explain`: what is recorded of a finding, and what is judged now."""

from typing import Any

import pytest

from cli import finding
from cli.client import ApiError

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


@pytest.mark.parametrize("given", ["", " ", "a/b", "../../x"])
def test_what_no_id_can_be_is_refused_by_name(given: str) -> None:
    with pytest.raises(ApiError, match="is not an id"):
        finding.explain_finding(given)
