"""Suggestions are near spellings: a word that only shares a part with a known one is not taken for it."""

import pytest

from shared.engine.error import nearest


@pytest.mark.parametrize(
    ("word", "known", "near"),
    [
        ("equal", "equals", "equals"),
        ("existanceScope", "existenceScope", "existenceScope"),
        ("audt", "audit", "audit"),
        ("comment:nonComplianceMessages", "nonComplianceMessages", None),
        ("conditionalDefinitionVersion", "definitionVersion", None),
        ("azureArcGuestconfigurationPrivateDnsZoneId", "azureAsrPrivateDnsZoneId", None),
    ],
)
def test_only_near_spellings_are_suggested(word: str, known: str, near: str | None) -> None:
    assert nearest(word, [known]) == near
