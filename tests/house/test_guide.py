"""What the guides show is what the product does."""

import doctest
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from local import estate

ROOT = Path(__file__).parents[2]


def test_the_guide_to_the_engine_runs() -> None:
    guide = str(ROOT / "docs" / "engine.md")
    outcome = doctest.testfile(guide, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 8
    assert outcome.failed == 0


def test_the_readme_judges_a_pipe_of_resources_that_are_there() -> None:
    (line,) = [each for each in readme().splitlines() if "cortex evaluate" in each]
    made, chosen, judged = (shlex.split(each) for each in re.split(r" \| ", line))
    assert (made[0], chosen[0], judged[0]) == ("cortex", "grep", "cortex")
    lines = CliRunner().invoke(app, made[1:]).output.splitlines(keepends=True)
    answer = CliRunner().invoke(app, judged[1:], input="".join(each for each in lines if chosen[1] in each))
    assert answer.exit_code == 3, answer.output
    assert re.search(r"\d+ resources, 1 policy: \d+ compliant, \d+ nonCompliant\n", answer.output)


def test_the_numbers_of_the_sample_estate_are_those_of_the_readme() -> None:
    paths = [record.id.lower().strip("/").split("/") for record in estate.records(count=2000)]
    groups = sum(len(parts) == 4 and parts[2] == "resourcegroups" for parts in paths)
    subscriptions = sum(len(parts) == 2 and parts[0] == "subscriptions" for parts in paths)
    listed = f"{2000 + groups + subscriptions:,}"
    told = f"2,000 resources ({listed} with their {groups} resource groups and {subscriptions} subscriptions"
    assert told in " ".join(readme().split())


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")
