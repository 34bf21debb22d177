"""A move that is not allowed is refused in words, without the names of events and statuses."""

import pytest

from shared.domain.transition import refused


@pytest.mark.parametrize(
    ("thing", "status", "event_type", "said"),
    [
        ("a remediation", "rollingBack", "cancelRequested", "a remediation that is rolling back cannot be cancelled"),
        (
            "a remediation",
            "partlySucceeded",
            "remediationApproved",
            "a remediation that has partly succeeded cannot be approved",
        ),
        ("a scan", "completed", "cancelRequested", "a scan that has completed cannot be cancelled"),
        ("an exemption", "expired", "exemptionRevoked", "an exemption that has expired cannot be revoked"),
        (
            "an import",
            None,
            "importProgressed",
            "an import that does not exist cannot have 'import progressed' recorded",
        ),
    ],
)
def test_a_refused_move_says_what_was_asked_for(thing: str, status: str | None, event_type: str, said: str) -> None:
    assert refused(thing, status, event_type).message == said
