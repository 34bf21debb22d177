"""Twenty rules on the same generated resources: our engine and others, in one run, from JSON bytes.

Usage: `python -m benchmarks.peers [RESOURCES]` (default 1,000). The others are optional and skipped by name when they
are absent: c7n, cel-python, common-expression-language, regopy, jmespath, duckdb. An engine whose counts of violations
differ from ours is reported as wrong and not timed.
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson

from benchmarks import dialect
from benchmarks.engine_factory import factory

Rules = list[tuple[str, Any]]
Counts = list[int]
Run = Callable[[list[bytes]], Counts]
VAULT, SERVER, GATEWAY = "Contoso.Secrets/vaults", "Contoso.Data/servers", "Contoso.Edge/gateways"
REGIONS = ["westeurope", "northeurope", "eastus", "uksouth"]


def vault(random: Random) -> dict[str, Any]:
    """Return a store of secrets; its retention may not be set."""
    days = {"retentionDays": random.choice([7, 30, 90])} if random.random() < 0.8 else {}
    return {
        "purgeProtection": random.random() < 0.7,
        "network": {"defaultAction": random.choice(["Allow", "Deny"]), "bypass": "AzureServices"},
        "grants": [
            {"principal": f"p{random.randrange(90)}", "right": random.choice(["get", "list", "all"])}
            for _ in range(random.randrange(6))
        ],
        **days,
    }


def server(random: Random) -> dict[str, Any]:
    """Return a database server; its administrator may be missing."""
    admin = {"administrator": random.choice(["dba-team", "dba-oncall", "sa"])} if random.random() < 0.9 else {}
    return {
        "tls": random.choice(["1.0", "1.2", "1.3"]),
        "publicAccess": random.choice(["Enabled", "Disabled"]),
        "backup": {"days": random.randrange(1, 36), "redundant": random.random() < 0.5},
        "ranges": [
            {"first": random.choice(["0.0.0.1", "10.0.0.4"]), "last": random.choice(["255.255.255.255", "10.0.0.9"])}
            for _ in range(random.randrange(4))
        ],
        **admin,
    }


def gateway(random: Random) -> dict[str, Any]:
    """Return the edge of a network with its listeners."""
    return {
        "tier": random.choice(["Basic", "Standard", "Premium"]),
        "firewall": {"enabled": random.random() < 0.6, "mode": random.choice(["Detection", "Prevention"])},
        "listeners": [
            {"port": random.choice([80, 443, 8080]), "protocol": random.choice(["Http", "Https"]), "host": f"h{at}"}
            for at in range(random.randrange(8))
        ],
    }


def resources(number: int) -> list[bytes]:
    """Return resources as JSON bytes, the same for every run."""
    random = Random(11)
    found = []
    for at in range(number):
        kind, make = random.choice([(VAULT, vault), (SERVER, server), (GATEWAY, gateway)])
        tags = {name: f"{name}-{random.randrange(9)}" for name in ("owner", "team", "cost") if random.random() < 0.7}
        found.append(
            orjson.dumps(
                {
                    "id": f"/subscriptions/s{at % 20}/resourceGroups/g{at % 300}/providers/{kind}/n{at}",
                    "name": f"{random.choice(['prod', 'test'])}-{at}",
                    "type": kind,
                    "location": random.choice(REGIONS),
                    "tags": tags,
                    "properties": make(random),
                }
            )
        )
    return found


def about(kind: str, *parts: Any) -> Any:  # noqa: ANN401 - rules are JSON
    """Return a rule about one type."""
    return {"allOf": [{"field": "type", "equals": kind}, *parts]}


def members(array: str, where: Any, number: int = 0) -> Any:  # noqa: ANN401 - rules are JSON
    """Return the condition that more than `number` members of an array meet another one."""
    return {"count": {"field": f"properties.{array}[*]", "where": where}, "greater": number}


def rules() -> Rules:
    """Return twenty rules of the usual shapes; their fields are property paths."""
    grant, one, listener = "properties.grants[*].", "properties.ranges[*].", "properties.listeners[*]."
    open_range = [{"field": f"{one}first", "equals": "0.0.0.1"}, {"field": f"{one}last", "equals": "255.255.255.255"}]
    plain = [{"field": f"{listener}protocol", "equals": "Http"}, {"not": {"field": f"{listener}port", "equals": 8080}}]
    prevents = [
        {"field": "properties.firewall.enabled", "equals": True},
        {"field": "properties.firewall.mode", "equals": "Prevention"},
    ]
    late = [{"field": "properties.retentionDays", "exists": False}, {"field": "properties.retentionDays", "in": [7]}]
    found = [
        {"field": "location", "in": ["eastus", "uksouth"]},
        {"field": "tags.owner", "exists": False},
        {"not": {"field": "tags.team", "like": "team-*"}},
        {"field": "name", "like": "test-*"},
        about(VAULT, {"field": "properties.purgeProtection", "notEquals": True}),
        about(VAULT, {"field": "properties.network.defaultAction", "equals": "Allow"}),
        about(VAULT, {"anyOf": late}),
        about(VAULT, members("grants", {"field": f"{grant}right", "equals": "all"})),
        about(VAULT, members("grants", {"field": f"{grant}right", "in": ["get", "list"]}, 2)),
        about(SERVER, {"field": "properties.tls", "in": ["1.0", "1.1"]}),
        about(SERVER, {"field": "properties.publicAccess", "notEquals": "Disabled"}),
        about(SERVER, {"not": {"field": "properties.backup.days", "greater": 6}}),
        about(SERVER, {"field": "properties.backup.redundant", "equals": False}, {"field": "name", "like": "prod-*"}),
        about(SERVER, {"not": {"field": "properties.administrator", "like": "dba-*"}}),
        about(SERVER, members("ranges", {"allOf": open_range})),
        about(GATEWAY, {"field": "properties.tier", "equals": "Basic"}),
        about(GATEWAY, {"not": {"allOf": prevents}}),
        about(GATEWAY, members("listeners", {"allOf": plain})),
        about(GATEWAY, members("listeners", {"field": f"{listener}port", "equals": 443}, 3)),
        about(GATEWAY, {"field": "tags.cost", "contains": "-7"}),
    ]
    return [(f"r{at}", rule) for at, rule in enumerate(found)]


def aliased(rule: Any) -> Any:  # noqa: ANN401 - rules are JSON
    """Return the rule with aliases in the place of property paths."""
    if isinstance(rule, list):
        return [aliased(each) for each in rule]
    if not isinstance(rule, dict):
        return rule
    return {
        key: f"Peer/{value}" if key == "field" and value.startswith("properties.") else aliased(value)
        for key, value in rule.items()
    }


def paths(rule: Any) -> set[str]:  # noqa: ANN401 - rules are JSON
    """Return the property paths that a rule names."""
    if isinstance(rule, list):
        return set().union(*map(paths, rule))
    if not isinstance(rule, dict):
        return set()
    own = {rule["field"]} if str(rule.get("field")).startswith("properties.") else set()
    return own.union(*map(paths, rule.values()))


def ours(named: Rules) -> Run:
    """Return the run of this engine, whose verdicts have three values."""
    aliases = {f"Peer/{path}": path for _, rule in named for path in paths(rule)}
    scan = factory([(name, aliased(rule)) for name, rule in named], aliases)
    return lambda lines: list(scan(lines).values())


def each_rule(tests: Sequence[Callable[[Any], Any]], decode: Callable[[bytes], Any] = orjson.loads) -> Run:
    """Decode each resource once and ask every rule."""

    def run(lines: list[bytes]) -> Counts:
        counts = [0] * len(tests)
        for body in map(decode, lines):
            for at, test in enumerate(tests):
                counts[at] += bool(test(body))
        return counts

    return run


def c7n(named: Rules) -> Run:
    """Return the run of Cloud Custodian's filters."""
    filters = importlib.import_module("c7n.filters")
    registry = filters.FilterRegistry("peers")

    tracer = SimpleNamespace(subsegment=lambda _: nullcontext())
    context = SimpleNamespace(session_factory=None, options=SimpleNamespace(cache=None), policy=None, tracer=tracer)
    manager = SimpleNamespace(ctx=context, config=None, get_model=lambda: SimpleNamespace(id="id"))
    made = [registry.factory(dialect.custodian(rule), manager) for _, rule in named]

    def run(lines: list[bytes]) -> Counts:
        bodies = [orjson.loads(line) for line in lines]
        return [len(each.process(bodies)) for each in made]

    return run


def celpy(named: Rules) -> Run:
    """Return the run of cel-python."""
    module = importlib.import_module("celpy")
    environment = module.Environment()
    programs = [environment.program(environment.compile(dialect.cel(rule))) for _, rule in named]
    return each_rule(
        [program.evaluate for program in programs], lambda line: {"r": module.json_to_cel(orjson.loads(line))}
    )


def cel(named: Rules) -> Run:
    """Return the run of common-expression-language (Rust)."""
    module = importlib.import_module("cel")
    programs = [module.compile(dialect.cel(rule)) for _, rule in named]
    return each_rule([program.execute for program in programs], lambda line: {"r": orjson.loads(line)})


def regopy(named: Rules) -> Run:
    """Return the run of Rego (C++)."""
    module = importlib.import_module("regopy")
    interpreter = module.Interpreter()
    interpreter.add_module("peers", dialect.rego(named))

    def run(lines: list[bytes]) -> Counts:
        counts = dict.fromkeys((name for name, _ in named), 0)
        for body in map(orjson.loads, lines):
            interpreter.set_input(body)
            answer = json.loads(str(interpreter.query("data.peers.violations")))
            for name in answer["expressions"][0]:
                counts[name] += 1
        return list(counts.values())

    return run


def jmespath(named: Rules) -> Run:
    """Return the run of JMESPath."""
    module = importlib.import_module("jmespath")
    return each_rule([module.compile(dialect.jmespath(rule)).search for _, rule in named])


def duckdb(named: Rules) -> Run:
    """Return the run of DuckDB over a file of JSON lines, with one thread."""
    module = importlib.import_module("duckdb")
    columns = ", ".join(f"count(*) FILTER (WHERE {dialect.sql(rule)})" for _, rule in named)

    def run(lines: list[bytes]) -> Counts:
        with tempfile.TemporaryDirectory() as folder, module.connect(config={"threads": 1}) as connection:
            file = Path(folder) / "resources.jsonl"
            file.write_bytes(b"\n".join(lines))
            query = f"SELECT {columns} FROM read_ndjson_objects('{file}') AS t(d)"  # noqa: S608 - our own rules
            return list(connection.execute(query).fetchone())

    return run


PEERS: dict[str, Callable[[Rules], Run]] = {
    "c7n": c7n,
    "cel-python": celpy,
    "common-expression-language": cel,
    "regopy": regopy,
    "jmespath": jmespath,
    "duckdb": duckdb,
}


def measured(run: Run, lines: list[bytes]) -> tuple[float, Counts]:
    """Return the better processor time of two runs in seconds, and the counts."""
    best, counts = float("inf"), []
    for _ in range(2):
        started = time.process_time()
        counts = run(lines)
        best = min(best, time.process_time() - started)
    return best, counts


def main(arguments: list[str]) -> int:
    """Print the figures; 1 when an engine was wrong."""
    lines, named = resources(int(arguments[0]) if arguments else 1_000), rules()
    run = ours(named)
    run(lines)  # the first pass compiles what is met often
    base, expected = measured(run, lines)
    pairs = len(lines) * len(named)
    print(f"{len(lines):,} resources x {len(named)} rules from JSON bytes, {sum(expected):,} violations")
    print(f"{'this engine':28}{pairs / base:14,.0f} evaluations/s")
    wrong = [name for name, make in PEERS.items() if not report(name, make, named, lines, (base, expected))]
    return 1 if wrong else 0


def report(
    name: str, make: Callable[[Rules], Run], named: Rules, lines: list[bytes], ours_: tuple[float, Counts]
) -> bool:
    """Print a line about one engine. Return false when its counts differ."""
    try:
        run = make(named)
    except ImportError as error:
        print(f"{name:28}skipped: {error}")
        return True
    try:
        seconds, counts = measured(run, lines)
    except Exception as error:  # noqa: BLE001 - whatever another engine raises is its answer
        print(f"{name:28}wrong, not timed: {type(error).__name__}: {str(error)[:200]}")
        return False
    differing = [rule for (rule, _), one, two in zip(named, counts, ours_[1], strict=True) if one != two]
    if differing:
        print(f"{name:28}wrong, not timed: counts differ for {', '.join(differing)}")
        return False
    speed = len(lines) * len(named) / seconds
    print(f"{name:28}{speed:14,.0f} evaluations/s   this engine is {seconds / ours_[0]:8,.1f}x as fast")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
