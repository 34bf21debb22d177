"""Versions of orchestrations: their order, and what becomes of instances of another one."""

from pathlib import Path
from typing import Any

import pytest

from local.host.setting import DurableTask
from local.host.version import compare, mismatch


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ("", "", 0),
        ("", "0", -1),
        ("1.9", "1.10", -1),
        ("1.0", "1.0.0", -1),
        ("2.0", "1.9.9", 1),
        ("9", "10", 1),  # no dot: text
        ("V1-RELEASE", "v1-release", 0),
        ("2025-01-01", "2025-01-02", -1),
    ],
)
def test_versions_are_ordered_as_documented(first: str, second: str, order: int) -> None:
    assert compare(first, second) == order
    assert compare(second, first) == -order


@pytest.mark.parametrize(
    ("strategy", "taken"),
    [("None", {"", "1.0", "2.0", "3.0"}), ("Strict", {"2.0"}), ("CurrentOrOlder", {"", "1.0", "2.0"})],
)
def test_what_an_app_takes_is_decided_by_its_strategy(strategy: Any, taken: set[str]) -> None:
    settings = DurableTask(default_version="2.0", version_match_strategy=strategy)
    assert {each for each in ("", "1.0", "2.0", "3.0") if not mismatch(each, settings)} == taken


def test_without_a_version_of_its_own_an_app_takes_all() -> None:
    assert mismatch("3.0", DurableTask()) == ""


@pytest.mark.slow
def test_a_newer_instance_is_left_as_it_is_or_failed_as_host_json_says(tmp_path: Path, serve: Any) -> None:
    for strategy, status in (("Reject", "PENDING"), ("Fail", "FAILED")):
        durable = {"defaultVersion": "1.0", "versionFailureStrategy": strategy}
        with serve(tmp_path / strategy, settings={"extensions": {"durableTask": durable}}) as started:
            started.send("start", {"id": "newer", "name": "fan_out", "input": [1], "version": "2.0"})
            started.send("start", {"id": "own", "name": "fan_out", "input": [2]})
            assert started.until("start", lambda seen: len(seen) == 2)
            assert started.client.get("/api/orchestrations/own?wait=10").json()["output"] == 4
            found = started.wait(
                lambda client=started.client: client.get("/api/orchestrations/newer").json()["status"],
                lambda now, expected=status: now == expected,
            )
            assert found == status
