"""The SARIF log: rules once, results that point at lines and at their rules."""

from shared.authoring import sarif
from shared.domain.lint import LintLevel, LintResult

TEXT = '{\n  "if": {\n    "field": "x"\n  }\n}\n'


def remark(path: str, rule: str = "alias-unknown", suggestion: str | None = None) -> LintResult:
    return LintResult(rule=rule, level=LintLevel.ERROR, path=path, message="there is none", suggestion=suggestion)


def test_results_point_at_lines_and_rules() -> None:
    files = [("a folder/p.json", TEXT, [remark("$.if.field", suggestion="use 'y'"), remark("$", "definition-invalid")])]
    log = sarif.sarif_log(files)
    (run,) = log["runs"]
    first, second = run["results"]
    assert log["version"] == "2.1.0"
    assert first["message"]["text"] == "there is none; use 'y'"
    physical = first["locations"][0]["physicalLocation"]
    assert physical == {
        "artifactLocation": {"uri": "a%20folder/p.json"},
        "region": {"startLine": 3, "startColumn": 5},
    }
    for result in (first, second):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}


def test_rules_are_explained_once() -> None:
    rules = sarif.sarif_log([])["runs"][0]["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) > 50
    assert all(rule["shortDescription"]["text"] and rule["help"]["text"] for rule in rules)
