"""What a count by state comes to: the score, and Azure's percentage."""

import pytest

from shared.domain.state_counts import state_counts


@pytest.mark.parametrize(
    ("states", "score", "azure"),
    [
        ({"compliant": 3, "nonCompliant": 1}, 75.0, 75.0),
        ({"compliant": 1, "nonCompliant": 1, "unknown": 1, "exempt": 1}, 50.0, 75.0),
        ({"compliant": 1, "error": 1}, 100.0, 50.0),
        ({"unknown": 2}, None, 100.0),
        ({"notApplicable": 5}, None, None),
    ],
)
def test_azure_counts_what_is_unknown_or_exempt_as_good_and_the_score_leaves_it_out(
    states: dict[str, int], score: float | None, azure: float | None
) -> None:
    found = state_counts(states)
    assert (found["score"], found["azure_percentage"]) == (score, azure)
