"""`cortex evaluate`: judge files or pipes of resources by policies on this machine, with no service and no cloud."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import batched
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape

from cli import pool, show, source
from shared.domain.inventory import BadRecord
from shared.domain.resource import Resource
from shared.domain.verdict import ATTENTION, State, Verdict
from shared.engine import Context, Explanation, Policy, PolicySet, compile_set, explain, judge

WRONG = 3
UNSETTLED = 4
PIECE = 200
"""Resources in one piece of work."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a process judges with. `attention`: leave out the pairs that are fine."""

    policies: PolicySet
    context: Context
    as_json: bool
    attention: bool
    full: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a piece: lines to print, how many pairs are in which state."""

    lines: bytes
    states: Counter[str]
    resources: int


_bench: Bench | None = None


def evaluate(
    policy: Annotated[
        list[str],
        typer.Option(help="a definition file or folder, a policy of the catalog, or `catalog`; repeat for more"),
    ],
    resource: Annotated[
        list[str] | None, typer.Option(help="a file of resources, gzip too, or - for stdin; repeat for more")
    ] = None,
    parameters: source.Parameters = "{}",
    aliases: source.Aliases = None,
    attention: Annotated[bool, typer.Option("--attention", help="leave out what is compliant")] = False,
    full: Annotated[bool, typer.Option("--explain", help="with --json: the tree of clauses and the fixes too")] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="processes; 0 for one per core")] = 1,
    json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Judge resources by policies, offline. Exit code 3 when one is non-compliant, 4 when one is not settled.

    Resources are ARM bodies, pages of them, exports or JSON lines; they are read as they come, in bounded memory.
    """
    policies = compile_set(source.compiled(policy, parameters, aliases))
    bench = Bench(policies, source.context(), json, attention, full)
    bad: Counter[str] = Counter()
    pieces = batched(_good(source.resources_of(resource or ["-"]), bad), PIECE, strict=False)
    states: Counter[str] = Counter()
    resources = 0
    for judged in pool.spread(work, pieces, jobs=jobs or os.cpu_count() or 1, start=start, given=(bench,)):
        sys.stdout.write(judged.lines.decode())
        states += judged.states
        resources += judged.resources
    sys.stdout.flush()
    if resources != 1 or len(bench.policies) != 1:
        show.errors.print(f"{resources} resources, {len(bench.policies)} policies: {show.counts(states + bad)}")
    raise typer.Exit(_code(states + bad))


def _code(states: Counter[str]) -> int:
    if states[State.NON_COMPLIANT]:
        return WRONG
    return UNSETTLED if states[State.UNKNOWN] or states[State.ERROR] or states["bad records"] else 0


def _good(found: Iterable[Resource | BadRecord], bad: Counter[str]) -> Iterator[Resource]:
    """The resources; what is none is told and counted."""
    for each in found:
        if isinstance(each, BadRecord):
            bad["bad records"] += 1
            show.errors.print(f"[yellow]left out:[/] record {each.position}: {escape(each.reason)}", soft_wrap=True)
        else:
            yield each


def start(bench: Bench) -> None:
    """Prepare this process."""
    global _bench  # noqa: PLW0603 - one per process of the pool
    _bench = bench


def work(resources: Iterable[Resource]) -> Judged:
    """Judge a piece."""
    assert _bench is not None  # `start` came first
    states: Counter[str] = Counter()
    lines: list[bytes] = []
    number = 0
    for resource in resources:
        number += 1
        compliant, verdicts = _verdicts(resource, _bench)
        states[State.COMPLIANT.value] += compliant
        for policy, verdict in verdicts:
            states[verdict.state.value] += 1
            if not _bench.attention or verdict.state in ATTENTION:
                lines.append(_line(policy, resource, verdict, _bench))
    return Judged(b"".join(lines), states, number)


def _verdicts(resource: Resource, bench: Bench) -> tuple[int, Iterator[tuple[Policy, Verdict]]]:
    """Compliant pairs that are only counted, and a verdict for each of the others.

    A single policy also tells of resources that it is not about.
    """
    policies = bench.policies
    if len(policies) == 1:
        return 0, ((policy, judge(policy, resource, bench.context)) for policy in policies.policies)
    if bench.attention:
        compliant, verdicts = policies.tally(resource, bench.context)
        named = {policy.id or policy.name: policy for policy in policies.applicable(resource.type)}
        return compliant, ((named[each.policy], each) for each in verdicts)
    pairs = ((policy, judge(policy, resource, bench.context)) for policy in policies.applicable(resource.type))
    return 0, ((policy, each) for policy, each in pairs if each.state is not State.NOT_APPLICABLE)


def _line(policy: Policy, resource: Resource, verdict: Verdict, bench: Bench) -> bytes:
    if bench.as_json and not bench.full:
        return orjson.dumps(_record(policy, verdict)) + b"\n"
    explained = explain(policy, resource, bench.context)
    if bench.as_json:
        return orjson.dumps({**explained.to_json(), "policy": policy.name}) + b"\n"
    return _text(policy, explained, named=len(bench.policies) > 1)


def _record(policy: Policy, verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = {
        "policy": policy.name,
        "resource": verdict.resource,
        "state": verdict.state.value,
        "effect": verdict.effect,
    }
    if verdict.reason:
        found["reason"] = verdict.reason
    if verdict.evidence:
        found["evidence"] = [asdict(each) for each in verdict.evidence]
    if verdict.needs:
        found["needs"] = [asdict(each) for each in verdict.needs]
    return found


def _text(policy: Policy, explained: Explanation, *, named: bool) -> bytes:
    head = f"{show.state(explained.verdict.state)} {show.short(explained.verdict.resource)}"
    with show.console.capture() as captured:
        by = f" [bold]{escape(policy.name)}[/]" if named else ""
        show.console.print(f"{head}{by}: {escape(explained.sentence())}", soft_wrap=True)
    return captured.get().encode()
