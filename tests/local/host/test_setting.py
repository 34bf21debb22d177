"""host.json, local.settings.json and %NAMES%."""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.host.setting import (
    HostSettings,
    SettingError,
    body_limit,
    defaults,
    local_settings,
    parse_time_span,
    read_host,
    resolve_names,
)


def write(folder: Path, settings: Any) -> Path:
    (folder / "host.json").write_text(settings if isinstance(settings, str) else json.dumps(settings))
    return folder


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = read_host(tmp_path)
    assert settings == HostSettings()
    assert settings.extensions.http.route_prefix == "api"
    assert settings.extensions.queues.threshold == 8
    assert settings.function_timeout == timedelta(minutes=30)


def test_settings_of_host_json_are_read(tmp_path: Path) -> None:
    queues = {"batchSize": 4, "newBatchThreshold": 0, "maxDequeueCount": 2, "visibilityTimeout": "00:00:30"}
    settings = read_host(
        write(
            tmp_path,
            {
                "version": "2.0",
                "functionTimeout": "-1",
                "logging": {"logLevel": {"default": "Warning"}},
                "extensions": {
                    "http": {"routePrefix": ""},
                    "queues": queues,
                    "durableTask": {"hubName": "Hub", "maxConcurrentActivityFunctions": 3},
                },
            },
        )
    )
    assert settings.function_timeout is None
    assert settings.logging.log_level == {"default": "Warning"}
    assert settings.extensions.http.route_prefix == ""
    assert settings.extensions.queues.threshold == 0
    assert settings.extensions.queues.visibility_timeout == timedelta(seconds=30)
    assert settings.extensions.durable_task.hub_name == "Hub"
    assert settings.extensions.durable_task.max_concurrent_activity_functions == 3


def test_ignored_settings_are_logged_at_debug(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write(
        tmp_path,
        {
            "version": "2.0",
            "extensionBundle": {"id": "x"},
            "extensions": {"kafka": {}, "http": {"hsts": {}}},
        },
    )
    with caplog.at_level(logging.DEBUG):
        read_host(folder)
    assert [record.getMessage().split()[1] for record in caplog.records] == [
        "extensionBundle",
        "extensions.kafka",
        "extensions.http.hsts",
    ]
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ("{", "the file"),
        ([], "the file"),
        ({"functionTimeout": "soon"}, "functionTimeout"),
        ({"extensions": {"queues": {"batchSize": 33}}}, "extensions.queues.batchSize"),
        ({"extensions": {"queues": {"visibilityTimeout": 5}}}, "extensions.queues.visibilityTimeout"),
        ({"logging": {"logLevel": "Debug"}}, "logging.logLevel"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, settings: Any, where: str) -> None:
    with pytest.raises(SettingError, match=f"host.json: {where}: "):
        read_host(write(tmp_path, settings))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:00", timedelta(0)),
        ("1:02:03", timedelta(hours=1, minutes=2, seconds=3)),
        ("7.00:00:00", timedelta(days=7)),
        ("00:00:00.25", timedelta(seconds=0.25)),
    ],
)
def test_a_time_span_is_parsed(text: str, expected: timedelta) -> None:
    assert parse_time_span(text) == expected


@pytest.mark.parametrize("text", ["", "5", "00:05", "-00:05:00", "a:b:c", "00:00:00.", "1.2.3:00:00"])
def test_what_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time span"):
        parse_time_span(text)


def test_local_settings_fill_the_environment_without_overriding_and_leave_with_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXTURE_SET", "outside")
    values = {"FIXTURE_SET": "inside", "FIXTURE_NEW": "new", "FIXTURE_NUMBER": 7}
    (tmp_path / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    with local_settings(tmp_path):
        assert (os.environ["FIXTURE_SET"], os.environ["FIXTURE_NEW"]) == ("outside", "new")
        assert os.environ["FIXTURE_NUMBER"] == "7"
    assert "FIXTURE_NEW" not in os.environ


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"Values": 1}', '{"Values": ["x"]}'])
def test_local_settings_that_cannot_be_read_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "local.settings.json").write_text(text)
    with pytest.raises(SettingError, match=r"local\.settings\.json"), local_settings(tmp_path):
        pass


def test_without_local_settings_the_environment_stays(tmp_path: Path) -> None:
    before = dict(os.environ)
    with local_settings(tmp_path):
        assert dict(os.environ) == before


def test_names_are_resolved_anywhere_in_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIXTURE_A", "a")
    assert resolve_names("x-%FIXTURE_A%-%FIXTURE_A%") == "x-a-a"
    assert resolve_names("100% sure") == "100% sure"


def test_a_name_that_is_not_set_is_named() -> None:
    with pytest.raises(SettingError, match="%FIXTURE_NONE% does not resolve"):
        resolve_names("%FIXTURE_NONE%")


def test_the_body_limit_is_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", raising=False)
    assert body_limit() == 104_857_600
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "5")
    assert body_limit() == 5
    monkeypatch.setenv("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "5 MB")
    with pytest.raises(SettingError, match="'5 MB' is not a number of bytes"):
        body_limit()


def test_website_hostname_is_the_address_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBSITE_HOSTNAME", raising=False)
    with defaults({"WEBSITE_HOSTNAME": "127.0.0.1:7072"}):
        assert os.environ["WEBSITE_HOSTNAME"] == "127.0.0.1:7072"
        with defaults({"WEBSITE_HOSTNAME": "127.0.0.1:7073"}):
            assert os.environ["WEBSITE_HOSTNAME"] == "127.0.0.1:7072"
        assert os.environ["WEBSITE_HOSTNAME"] == "127.0.0.1:7072"
    assert "WEBSITE_HOSTNAME" not in os.environ
