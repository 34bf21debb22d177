"""Versions of orchestrations: written out, kept over new histories, passed on to whatever is called."""

import ast
import json
import re
from pathlib import Path

import pytest

from shared.eventstore.store import Store
from shared.ports.queue import Queue
from shared.services.policy import effective_policy
from shared.workflows import scan as workflow
from tests.fakes.catalog import SmallCatalog
from tests.fakes.durable import Engine, connect
from tests.fakes.world import World
from tests.workflows.recording import RUNS, world_of
from tests.workflows.test_history import kind

ROOT = Path(__file__).parents[2]


def calls(text: str) -> list[ast.Call]:
    """The calls of other orchestrations in a module."""
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
    return [
        each for each in found if isinstance(each.func, ast.Attribute) and each.func.attr == "call_sub_orchestrator"
    ]


def passes_version(call: ast.Call) -> bool:
    return "context.version" in {ast.unparse(each.value) for each in call.keywords if each.arg == "version"}


def test_host_json_writes_out_how_versions_are_matched() -> None:
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    assert re.fullmatch(r"\d+\.\d+", durable["defaultVersion"]), "System.Version needs two numbers to compare them"
    assert (durable["versionMatchStrategy"], durable["versionFailureStrategy"]) == ("CurrentOrOlder", "Reject")


@pytest.mark.parametrize("path", sorted((ROOT / "shared" / "workflows").glob("*.py")), ids=lambda path: path.stem)
def test_what_calls_another_orchestration_passes_its_version_on(path: Path) -> None:
    assert all(map(passes_version, calls(path.read_text())))


def test_a_call_without_a_version_would_be_seen() -> None:
    (bare,) = calls("context.call_sub_orchestrator('x', input=1)")
    (versioned,) = calls("context.call_sub_orchestrator('x', version=context.version)")
    assert (passes_version(bare), passes_version(versioned)) == (False, True)


@pytest.mark.slow
def test_a_new_history_keeps_the_version(store: Store, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of("scan", World(store, queue, policies=effective_policy.packaged(SmallCatalog()), id="long"))
    connect(world, monkeypatch)
    monkeypatch.setattr(workflow, "HISTORY_ACTIVITIES", 5)
    engine = Engine()
    instance = RUNS["scan"](world, engine, "1.7")
    engine.ended(instance)
    started = [each for each in engine.events(instance) if kind(each) == "executionStarted"]
    engine.stop()
    assert [each.executionStarted.version.value for each in started] == ["1.7"]
    assert engine.calls.count("look") > 1
