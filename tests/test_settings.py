from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from shared.settings import Settings

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
