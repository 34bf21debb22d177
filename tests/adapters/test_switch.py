"""The same settings model moves everything from one machine to the cloud."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from shared import bootstrap
from shared.settings import Settings
from tests.fakes.emulator import COSMOS_KEY, Emulator
from tests.fakes.port import use


@pytest.mark.emulator
def test_settings_choose_the_adapters(
    tmp_path: Path, tenant: str, cosmos_emulator: Emulator, storage_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The stand-in tells clients to find it at https://localhost, where it is not.
    monkeypatch.setattr("shared.adapters.azure.documents._RETRY_OPTIONS", {"enable_endpoint_discovery": False})
    settings = Settings(
        state=tmp_path / "state",
        cosmos_endpoint=cosmos_emulator.address,
        cosmos_key=SecretStr(COSMOS_KEY),
        cosmos_database="bootstrap",
        storage_connection=SecretStr(storage_emulator.address),
    )
    with bootstrap.build(settings) as ports:
        use(ports, tenant)
