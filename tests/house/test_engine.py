"""The engine is a library of its own: Python's standard library and the vocabulary are all it needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
from shared.domain.resource import Resource
from shared.engine import AliasCatalog, apply_effects, compile_definition, compile_set, effect_details, explain, judge

rows = [{"name": "Test.One/things/on", "path": "properties.on", "types": ["Test.One/things"], "modifiable": True}]
change = {"operation": "addOrReplace", "field": "Test.One/things/on", "value": True}
type_is = {"field": "type", "equals": "Test.One/things"}
rule = {
    "if": {"allOf": [type_is, {"field": "Test.One/things/on", "notEquals": True}]},
    "then": {"effect": "modify", "details": {"roleDefinitionIds": ["r"], "operations": [change]}},
}
policy = compile_definition({"properties": {"policyRule": rule}}, aliases=AliasCatalog.from_rows(rows))
body = {"id": "/subscriptions/s", "type": "Test.One/things", "name": "n", "properties": {"on": False}}
print(judge(policy, Resource(body)).state)
print(explain(policy, Resource(body)).summary())
fixed = apply_effects(body, effect_details(policy, Resource(body)))
print([verdict.state.value for _, found in compile_set([policy]).judge_many([Resource(fixed)]) for _, verdict in found])
print(sorted(name for name in sys.modules if name in {"pydantic", "orjson"}))
"""


def test_the_engine_runs_without_any_package() -> None:
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(ROOT)]
    state, summary, after, packages = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    assert state == "nonCompliant"
    assert "properties.on is false" in summary
    assert (after, packages) == ("['compliant']", "[]")
