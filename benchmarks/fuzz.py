"""Fuzzes the policy engine: random and mutated definitions, expressions and resources, reproducible from a seed.

Usage: `python -m benchmarks.fuzz [INPUTS] [SEED] [FIRST]` (default 20,000 inputs, seed 1, from input 0). Only the
engine's named errors may come out of an input, and none may take longer than `EVALUATION_SECONDS` of processor time;
the exit status is 1 when an input breaks that. Input n of a seed is the same on every machine: FIRST repeats one.
"""

import faulthandler
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

from benchmarks.mutant import BODY, CATALOG, DEFINITIONS, broken_text, condition, mutated, mutated_text
from shared.domain.resource import Resource, Unread
from shared.domain.verdict import State
from shared.engine import (
    Context,
    EffectConflict,
    EvaluationError,
    InvalidDefinition,
    NotSupported,
    apply_effects,
    compile_definition,
    compile_set,
    effect_details,
    evaluate_expression,
    explain,
    judge,
    load_definition,
)

Json = Any
EVALUATION_SECONDS = 1.0
_HANG_SECONDS = 120
_CONTEXT = Context(now=datetime(2024, 6, 1, tzinfo=UTC), tenant="t")


def expression(random: Random) -> None:
    """Read and evaluate an expression."""
    evaluate_expression(mutated_text(random), parameters={"p": "x"}, context=_CONTEXT)


def text(random: Random) -> None:
    """Compile the broken JSON text of a definition."""
    source = json.dumps(random.choice(DEFINITIONS))
    for _ in range(random.randint(0, 3)):
        source = broken_text(random, source)
    compile_definition(load_definition(source.encode("utf-8", "surrogatepass")), aliases=CATALOG)


def definition(random: Random) -> None:
    """Compile a definition with mutated parts and judge a resource."""
    evaluate_one(random, mutated(random, random.choice(DEFINITIONS)), BODY)


def random_json(random: Random) -> None:
    """Compile a condition of any shape and judge a resource."""
    rule = {
        "if": condition(random, 3),
        "then": {"effect": random.choice(("audit", "deny", "manual", "[parameters('p')]"))},
    }
    evaluate_one(random, {"name": "p", "properties": {"policyRule": rule}}, BODY)


def body(random: Random) -> None:
    """Judge a mutated resource by a sound definition."""
    evaluate_one(random, random.choice(DEFINITIONS), mutated(random, BODY))


def evaluate_one(random: Random, source: Json, found: Json) -> None:
    """Compile, judge, explain, count and apply effects: all agree on the state."""
    policy = compile_definition(source, aliases=CATALOG)
    missing = {random.choice(("properties", "tags", "properties.list", "properties.a")): Unread("forbidden")}
    one = Resource(found, unread=missing if random.random() < 0.3 else {})
    verdict = judge(policy, one, _CONTEXT)
    if random.random() < 0.2:
        json.dumps(explain(policy, one, _CONTEXT).to_json())
    if random.random() < 0.2:
        batch = [each.state for _, each in compile_set([policy]).judge(one, _CONTEXT)]
        assert batch == ([] if verdict.state is State.NOT_APPLICABLE else [verdict.state]), (batch, verdict)
    if verdict.state is State.NON_COMPLIANT and not one.unread:
        apply_effects(one.body, effect_details(policy, one, _CONTEXT))


KINDS: tuple[Callable[[Random], None], ...] = (expression, expression, text, definition, definition, random_json, body)
EXPECTED_ERRORS = (InvalidDefinition, EvaluationError, NotSupported, EffectConflict)


def run(seed: int, number: int) -> tuple[str, float, str]:
    """Run one input. Return its kind and outcome, the processor time, and what broke ("" for nothing)."""
    random = Random(f"{seed}:{number}")
    kind = random.choice(KINDS)
    broke, outcome, started = "", "accepted", time.process_time()
    try:
        kind(random)
    except EXPECTED_ERRORS as error:
        outcome = type(error).__name__
    except Exception:  # noqa: BLE001 - whatever else comes out is what is looked for
        broke = traceback.format_exc(limit=-8)
    seconds = time.process_time() - started
    if seconds > EVALUATION_SECONDS:
        broke += f"took {seconds:.2f} s"
    return f"{kind.__name__} {outcome}", seconds, broke


def main(arguments: list[str]) -> int:
    """Run the inputs; 1 when one of them broke something."""
    inputs, seed, first = (*map(int, arguments), *(20_000, 1, 0)[len(arguments) :])
    outcomes: Counter[str] = Counter()
    slowest, broken, started = 0.0, 0, time.perf_counter()
    for number in range(first, first + inputs):
        if number % 1_000 == 0:
            faulthandler.dump_traceback_later(_HANG_SECONDS, exit=True)
        outcome, seconds, broke = run(seed, number)
        outcomes[outcome] += 1
        slowest = max(slowest, seconds)
        if broke:
            broken += 1
            print(f"input {number} of seed {seed}, {outcome}: {broke}", flush=True)
    faulthandler.cancel_dump_traceback_later()
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:32}{count:12,}")
    taken = time.perf_counter() - started
    print(f"{inputs:,} inputs, {broken} broken, slowest {slowest * 1e3:.0f} ms, {inputs / taken:,.0f} inputs/s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
