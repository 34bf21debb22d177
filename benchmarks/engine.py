"""Measures the policy engine: evaluations per second on generated resources, compile and load times, memory.

Usage: `python -m benchmarks.engine [RESOURCES]` (default 20,000). Where the public test data is present, the whole
public catalog of definitions is measured too.
"""

import gzip
import json
import pickle
import resource as usage
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson

from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Policy, PolicySet, compile_definition, compile_set

TYPES = (
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Network/networkSecurityGroups",
)
PROPERTIES = [f"setting{at}" for at in range(24)]
RULES = 200
DATA = Path(__file__).resolve().parents[2] / "shared"


def catalog() -> AliasCatalog:
    """Return aliases of the generated resources."""
    rows = [
        {"name": f"{kind}/{name}", "path": f"properties.{name}", "types": [kind]}
        for kind in TYPES
        for name in PROPERTIES
    ]
    rows += [
        {"name": f"{kind}/rules[*]{tail}", "path": f"properties.rules[*]{tail}", "types": [kind]}
        for kind in TYPES
        for tail in ("", ".access", ".port")
    ]
    return AliasCatalog.from_rows(rows)


def rules(number: int) -> Iterator[dict[str, Any]]:
    """Yield rules of the usual shapes, most of them about one type."""
    for at in range(number):
        kind, name = TYPES[at % 3], PROPERTIES[at % len(PROPERTIES)]
        yield {"allOf": [{"field": "type", "equals": kind}, condition(at, kind, name)]}


def condition(at: int, kind: str, name: str) -> dict[str, Any]:
    """Return one of six shapes."""
    inside = f"{kind}/rules[*]"
    where = {
        "allOf": [{"field": f"{inside}.access", "equals": "Allow"}, {"field": f"{inside}.port", "in": ["22", "*"]}]
    }
    shapes: list[dict[str, Any]] = [
        {"field": f"{kind}/{name}", "notEquals": "on"},
        {"field": f"{kind}/{name}", "in": ["off", "auto"]},
        {"anyOf": [{"field": f"{kind}/{name}", "exists": False}, {"field": f"{kind}/{name}", "equals": "off"}]},
        {"count": {"field": inside, "where": where}, "greater": at % 3},
        {"not": {"field": f"tags['tag{at % 5}']", "like": "team-*"}},
        {"field": "location", "notIn": ["westeurope", "northeurope"]},
    ]
    return shapes[at % len(shapes)]


def bodies(number: int) -> Iterator[bytes]:
    """Yield resources as JSON bytes, the same for every run."""
    random = Random(5)
    for at in range(number):
        kind = TYPES[at % 3]
        properties: dict[str, Any] = {name: random.choice(["on", "on", "off", "auto"]) for name in PROPERTIES}
        properties["rules"] = [
            {"access": random.choice(["Allow", "Deny"]), "port": random.choice(["22", "443", "*"])}
            for _ in range(random.randrange(6))
        ]
        yield orjson.dumps(
            {
                "id": f"/subscriptions/s{at % 40}/resourceGroups/g{at % 500}/providers/{kind}/n{at}",
                "name": f"n{at}",
                "type": kind,
                "location": random.choice(["westeurope", "northeurope", "eastus"]),
                "tags": {f"tag{number}": random.choice(["team-a", "x"]) for number in range(random.randrange(5))},
                "properties": properties,
            }
        )


def timed(run: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Return the best processor time in seconds, and the result."""
    best, result = float("inf"), None
    for _ in range(times):
        started = time.process_time()
        result = run()
        best = min(best, time.process_time() - started)
    return best, result


def compiled(number: int) -> PolicySet:
    """Return a set of generated policies."""
    aliases = catalog()
    return compile_set(
        compile_definition(
            {"name": f"p{at}", "properties": {"policyRule": {"if": rule, "then": {"effect": "audit"}}}}, aliases=aliases
        )
        for at, rule in enumerate(rules(number))
    )


def generated(number: int) -> None:
    """Print how fast generated resources are counted, streamed from JSON bytes, and judged with evidence."""
    seconds, policies = timed(lambda: compiled(RULES))
    print(f"compile {RULES} generated rules        {seconds * 1e3:9.1f} ms")
    seconds, _ = timed(lambda: policies.count(map(orjson.loads, bodies(number))), 1)
    making, _ = timed(lambda: sum(1 for _ in bodies(number)), 1)
    counting = max(seconds - making, 1e-9)
    print(
        f"count {number} x {RULES}, from bytes    {counting:9.2f} s   {number * RULES / counting:12,.0f} evaluations/s"
    )
    one = [Resource(orjson.loads(body)) for body in bodies(300)]
    seconds, _ = timed(lambda: [policies.summarize(each) for each in one])
    print(f"one resource, with evidence         {seconds / len(one) * 1e3:9.3f} ms")
    print(f"peak memory                         {usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1e3:9.0f} MB")


def rows(name: str) -> list[Any]:
    """Return the rows of a file of the public data."""
    with gzip.open(DATA / name, "rb") as file:
        return [json.loads(line) for line in file]


def public() -> None:
    """Print how fast the public definitions are compiled and judge real resources."""
    seconds, aliases = timed(lambda: AliasCatalog.from_rows(rows("azure-policy/aliases.jsonl.gz")), 1)
    print(f"load {len(aliases)} aliases from JSON       {seconds * 1e3:9.0f} ms")
    stored = pickle.dumps(aliases)
    seconds, _ = timed(lambda: pickle.loads(stored))  # noqa: S301 - our own bytes
    print(f"load the same from a pickle         {seconds * 1e3:9.0f} ms")
    chosen = [
        row["definition"] for row in rows("azure-policy/policyDefinitions.jsonl.gz") if row["cloud"] == "AzureCloud"
    ]
    seconds, policies = timed(lambda: [compile_definition(each, aliases=aliases) for each in chosen], 1)
    judged = [policy for policy in policies if not policy.not_evaluable]
    print(f"compile {len(chosen)} public definitions    {seconds * 1e3:9.0f} ms")
    found = [Resource(row["resource"]) for row in rows("policy-cases/resources.jsonl.gz")]
    mixed = (found * 3)[:1_200]
    whole = compile_set(judged)
    seconds, _ = timed(lambda: whole.count(mixed), 1)
    print(f"{len(judged)} policies x {len(mixed)} resources, first  {seconds:7.2f} s")
    seconds, _ = timed(lambda: whole.count(mixed))
    print(f"{len(judged)} policies x {len(mixed)} resources, warm   {seconds:7.2f} s")
    changed(whole, found[100], judged)


def changed(whole: PolicySet, one: Resource, judged: list[Policy]) -> None:
    """Print how fast one changed resource is judged by everything."""
    seconds, _ = timed(lambda: [whole.summarize(one) for _ in range(50)])
    print(f"one resource x {len(judged)} policies, warm   {seconds / 50 * 1e3:9.2f} ms")


def main(arguments: list[str] | None = None) -> None:
    """Print the figures."""
    generated(int(arguments[0]) if arguments else 20_000)
    if (DATA / "azure-policy" / "policyDefinitions.jsonl.gz").is_file():
        public()


if __name__ == "__main__":
    main(sys.argv[1:])
