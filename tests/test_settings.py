"""Settings are read from the environment and checked."""

import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shared.domain.error import Misconfigured
from shared.settings import Settings, read

CONNECTION = "DefaultEndpointsProtocol=https;AccountName=name;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415 - only here

    for name in os.environ:
        if name.upper().startswith("CORTEX_") or name == "AzureWebJobsStorage":
            monkeypatch.delenv(name)


def test_with_nothing_set_everything_stays_on_this_machine() -> None:
    settings = Settings()
    assert settings.state == Path(".cortex")
    assert settings.cosmos_endpoint is None
    assert settings.storage_connection is None
    assert settings.storage_account_url is None


def test_variables_are_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_STATE", "/somewhere")
    monkeypatch.setenv("CORTEX_COSMOS_ENDPOINT", "https://name.documents.azure.com")
    monkeypatch.setenv("CORTEX_COSMOS_KEY", "c2VjcmV0")
    settings = Settings()
    assert settings.state == Path("/somewhere")
    assert settings.cosmos_endpoint == "https://name.documents.azure.com"
    assert settings.cosmos_key == SecretStr("c2VjcmV0")
    monkeypatch.setenv("CORTEX_STATE", "")
    assert Settings().state == Path(".cortex")


@pytest.mark.parametrize("name", ["CORTEX_STORAGE_CONNECTION", "AzureWebJobsStorage"])
def test_either_name_of_the_storage_connection(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, CONNECTION)
    assert Settings().storage_connection == SecretStr(CONNECTION)


def test_our_own_name_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "AccountName=other")
    monkeypatch.setenv("CORTEX_STORAGE_CONNECTION", CONNECTION)
    assert Settings().storage_connection == SecretStr(CONNECTION)


@pytest.mark.parametrize("shorthand", ["UseDevelopmentStorage=true", "", "none"])
def test_a_shorthand_is_no_connection(monkeypatch: pytest.MonkeyPatch, shorthand: str) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", shorthand)
    assert Settings().storage_connection is None


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().state = Path("/elsewhere")  # type: ignore[misc] # on purpose


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        cosmos_key=SecretStr("hidden1"),
        storage_connection=SecretStr("AccountName=a;AccountKey=hidden2"),
        local_token_secret=SecretStr("hidden3"),
        cloud_token=SecretStr("hidden4"),
    )
    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.model_dump())


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CORTEX_METRICS_TOKEN", "hush-5318", "CORTEX_METRICS_TOKEN must have 16 characters or more"),
        ("CORTEX_RETENTION__CHANGES", "-5318", "CORTEX_RETENTION__CHANGES must be 0 or more"),
        ("CORTEX_RETENTION__ORPHANED_BLOBS", "0", "CORTEX_RETENTION__ORPHANED_BLOBS must be 1 or more"),
        ("CORTEX_RETENTION__SCANS", "5318.5", "CORTEX_RETENTION__SCANS must be a whole number"),
        ("CORTEX_RETENTION__SCAN", "5318", "CORTEX_RETENTION__SCAN is not a setting"),
        ("CORTEX_RETENTION", "[5318", "CORTEX_RETENTION must be a JSON object"),
        ("CORTEX_SCAN_SCHEDULE", "5318 * *", "CORTEX_SCAN_SCHEDULE must be a schedule of six fields, such as"),
        ("CORTEX_PUBLIC_URL", "ftp://5318", "CORTEX_PUBLIC_URL must be an address without a path, such as"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_what_it_takes_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured) as caught:
        read()
    assert caught.value.message.startswith(told)
    assert "5318" not in "".join(traceback.format_exception(caught.value))


def test_all_settings_that_cannot_be_used_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORTEX_METRICS_TOKEN", "short")
    monkeypatch.setenv("CORTEX_RETENTION__SCANS", "x")
    with pytest.raises(Misconfigured, match=r"CORTEX_METRICS_TOKEN must .*; CORTEX_RETENTION__SCANS must be"):
        read()
