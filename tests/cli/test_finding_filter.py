"""`cortex finding list` in a pipeline: a condition that nothing meets because of a typo is no pass."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import typer

from cli import client, finding_filter

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COUNTS = {"nonCompliant": 3, "unknown": 2, "error": 0}
REFUSED = {"detail": "nothing has the policy 'tsl'; did you mean 'tls'?", "path": "query.policy"}
EMPTY = {"detail": "nothing was evaluated yet; start a scan with `cortex scan start`", "path": "query"}


@pytest.fixture
def findings(cortex: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `finding list` against an estate of high violations and low unknowns."""
    made = httpx2.Client

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = request.url.params
        if asked.get("strict") and asked.get("policy") == "tsl":
            return httpx2.Response(400, json=REFUSED)
        if asked.get("strict") and asked.get("owner") == "nobody":
            return httpx2.Response(400, json=EMPTY)
        if request.url.path.endswith("/resources"):
            return httpx2.Response(200, json={"items": [], "nextCursor": None, "total": 0})
        severities = {"high": ("nonCompliant",), "low": ("unknown", "error")}
        states = asked.get_list("state") or [*COUNTS]
        wanted = asked.get_list("severity") or [*severities]
        total = sum(COUNTS.get(state, 0) for each in wanted for state in severities.get(each, ()) if state in states)
        return httpx2.Response(200, json={"items": [], "nextCursor": None, "total": total})

    transport = httpx2.MockTransport(answer)
    monkeypatch.setattr(client.httpx2, "Client", lambda **given: made(**given, transport=transport))
    return lambda *options: cortex("finding", "list", *options)


@pytest.mark.parametrize("option", ["--severity", "--order", "--remediable"])
def test_a_wrong_name_is_refused_in_plain_words(findings: Any, option: str) -> None:
    answer = findings(option, "hihg")
    assert answer.exit_code == 2
    words = " ".join(answer.stderr.replace("│", " ").split())
    assert f"Invalid value for '{option}': 'hihg' is not one of" in words


def test_a_value_that_nothing_has_fails_a_pipeline_and_is_a_note_otherwise(findings: Any) -> None:
    for gate in (("--fail-on", "low"), ("--fail-on-unknown",)):
        failed = findings("--policy", "tsl", *gate)
        assert failed.exit_code == 2
        assert "nothing has the policy 'tsl'; did you mean 'tls'?" in " ".join(failed.stderr.replace("│", " ").split())
        assert failed.stdout == ""
    noted = findings("--policy", "tsl", "--json")
    assert (noted.exit_code, noted.stdout.strip()) == (0, "[]")
    assert "note: nothing has the policy 'tsl'" in noted.stderr


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("finding", "list", "--since"), "an age such as 7d or 12h, which is ago"),
        (
            ("exemption", "request", "f", "--reason", "not yet replaced", "--owner", "a@b.co", "--until"),
            "7d or 12h from now",
        ),
    ],
)
@pytest.mark.usefixtures("findings")
def test_what_is_no_time_is_told_with_its_direction(cortex: Any, command: tuple[str, ...], says: str) -> None:
    answer = cortex(*command, "yesterday")
    assert (answer.exit_code, says in " ".join(answer.stderr.replace("│", " ").split())) == (2, True)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (("--owner", "nobody"), EMPTY["detail"]),
        (("--location", "mars"), "no resource meets these conditions"),
        ((), ""),
        (("--gone", "--owner", "nobody"), ""),
    ],
)
@pytest.mark.usefixtures("findings")
def test_an_empty_list_of_resources_says_why(cortex: Any, options: tuple[str, ...], note: str) -> None:
    found = cortex("resource", "list", *options, "--json")
    assert (found.exit_code, found.stdout.strip()) == (0, "[]")
    assert " ".join(found.stderr.split()) == (f"note: {note}" if note else "")


def test_an_estate_without_anything_to_look_at_is_no_pass(findings: Any) -> None:
    failed = findings("--owner", "nobody", "--fail-on", "low")
    assert failed.exit_code == 1
    assert "cortex scan start" in str(failed.exception)
    assert findings("--owner", "nobody").exit_code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--fail-on", "critical"), 0),
        (("--fail-on", "high"), 3),
        (("--fail-on", "low"), 3),
        (("--fail-on", "low", "--severity", "low"), 0),
        (("--fail-on", "low", "--state", "unknown"), 0),
        (("--fail-on-unknown",), 4),
        (("--fail-on-unknown", "--state", "nonCompliant"), 0),
        (("--fail-on-unknown", "--severity", "high"), 0),
        (("--fail-on", "low", "--fail-on-unknown"), 3),
        (("--fail-on", "critical", "--fail-on-unknown"), 4),
    ],
)
def test_violations_and_what_is_unknown_fail_a_pipeline_apart(
    findings: Any, options: tuple[str, ...], code: int
) -> None:
    assert findings(*options).exit_code == code


@pytest.mark.parametrize(("option", "typo"), [("--severity", "hgh"), ("--state", "noncompliant"), ("--fail-on", "bad")])
def test_a_word_that_is_none_is_refused(findings: Any, option: str, typo: str) -> None:
    assert findings(option, typo).exit_code == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("7d", "2026-02-22T12:00:00Z"),
        ("90m", "2026-03-01T10:30:00Z"),
        ("2w", "2026-02-15T12:00:00Z"),
        ("2026-02-01", "2026-02-01T00:00:00Z"),
        ("2026-02-01T10:00:00+02:00", "2026-02-01T08:00:00Z"),
        (None, None),
    ],
)
def test_a_moment_is_an_age_a_day_or_a_time(given: str | None, expected: str | None) -> None:
    assert finding_filter.moment(given, NOW) == expected


@pytest.mark.parametrize("given", ["", "yesterday", "7", "d", "-7d", "999999d", "2026-13-01"])
def test_what_is_no_moment_is_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        finding_filter.moment(given, NOW)


def test_a_moment_may_lie_ahead() -> None:
    assert finding_filter.parse_moment("90d", NOW, option="--until", way=1) == "2026-05-30T12:00:00Z"
