"""`cortex estate | cortex evaluate`: the sample is read as it is printed, and all of it."""

from tests.cli.conftest import Cortex


def test_the_sample_is_evaluated_without_complaint(cortex: Cortex) -> None:
    sample = cortex("estate", "--resources", "100")
    assert sample.exit_code == 0
    answer = cortex("evaluate", "--findings-only", stdin=sample.stdout.encode())
    assert answer.exit_code == 3
    assert "left out" not in answer.stderr
    assert f"{len(sample.stdout.splitlines())} resources" in answer.stderr
