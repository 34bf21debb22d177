"""Drift changes a cloud in steps that follow from the seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from local.cloud import Sandbox, sandbox
from local.cloud.generation import generate_estate


def snapshot(cloud: Sandbox) -> dict[str, Any]:
    return {
        name: cloud.read(name)
        for kind in ("Microsoft.Storage/storageAccounts", "Microsoft.Web/sites/config")
        for name in cloud.ids(kind)
    }


def test_two_clouds_drift_alike(tmp_path: Path) -> None:
    changed = []
    for name in ("one", "two"):
        with sandbox(tmp_path / f"{name}.db", resources=250, seed=3) as cloud:
            changed.append((cloud.drift(40), snapshot(cloud).keys()))
    assert changed[0] == changed[1]


def test_drift_keeps_what_people_changed_beside_it(cloud: Sandbox, http: Any) -> None:
    sites = cloud.ids("Microsoft.Web/sites/config")
    for name in sites:
        http("PATCH", name, {"properties": {"appCommandLine": "kept"}}, version="2025-05-01")
    cloud.drift(120)
    assert all((cloud.read(name) or {})["properties"]["appCommandLine"] == "kept" for name in sites)
    touched = {write["id"] for write in cloud.writes() if write["source"] == "drift"} & set(sites)
    assert touched


def test_drift_goes_on_after_a_restart(tmp_path: Path) -> None:
    generate_estate(tmp_path / "cloud.db", seed=7, count=200)
    with sandbox(tmp_path / "cloud.db") as cloud:
        first = cloud.drift(3)
    with sandbox(tmp_path / "cloud.db") as cloud:
        second = cloud.drift(3)
    generate_estate(tmp_path / "whole.db", seed=7, count=200)
    with sandbox(tmp_path / "whole.db") as cloud:
        assert cloud.drift(6) == first + second


def test_what_drift_makes_counts_and_what_it_takes_does_not(start: Callable[..., Sandbox]) -> None:
    cloud = start()
    cloud.drift(100)
    kinds = [write["method"] for write in cloud.writes()]
    assert {"PUT", "PATCH", "DELETE"} == set(kinds)
    assert cloud.count() != 300
