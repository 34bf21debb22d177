"""The engine as a factory for side-by-side measurements: rules and aliases in, a scan over JSON lines out."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from shared.domain.verdict import State
from shared.engine import AliasCatalog, compile_definition, compile_set

Scan = Callable[[Iterable[bytes]], dict[str, int]]


def factory(rules: list[tuple[str, Any]], aliases: Mapping[str, str]) -> Scan:
    """Compile (name, `if`) rules with aliases {name: path}; the scan counts the violations of each rule."""
    catalog = AliasCatalog.from_rows({"name": name, "path": path, "types": []} for name, path in aliases.items())
    policies = compile_set(
        compile_definition(
            {"name": name, "properties": {"policyRule": {"if": rule, "then": {"effect": "audit"}}}}, aliases=catalog
        )
        for name, rule in rules
    )

    def scan(lines: Iterable[bytes]) -> dict[str, int]:
        counts = policies.count(map(orjson.loads, lines))
        return {name: each.get(State.NON_COMPLIANT, 0) for (name, _), each in zip(rules, counts, strict=True)}

    return scan
