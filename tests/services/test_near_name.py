"""An unknown name is told with those that were probably meant."""

import pytest

from shared.services.near_name import near_hint

NAMES = ("storage-minimum-tls", "storage-secure-transfer", "storage-no-public-blobs", "storage-firewall", "vault-purge")


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("storage-minimum-tsl", "; did you mean 'storage-minimum-tls'?"),
        ("storage-secure", "; did you mean 'storage-secure-transfer'?"),
        ("Purge", "; did you mean 'vault-purge'?"),
        (
            "storage",
            "; did you mean 'storage-firewall' or 'storage-minimum-tls' or 'storage-no-public-blobs', and 1 more?",
        ),
        ("s", ""),
        ("cosmos-keys", ""),
        ("", ""),
    ],
)
def test_names_that_are_near_or_have_the_word_in_them_are_told(written: str, hint: str) -> None:
    assert near_hint(written, NAMES) == hint
