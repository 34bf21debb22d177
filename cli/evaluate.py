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
from shared.engine import Context, Explanation
from shared.services.intake import Reader, Record
from shared.services.placement import Placement
from shared.services.placement_set import Placed, PlacementSet

WRONG = 3
UNSETTLED = 4
PIECE = 200
"""Records in one piece of work."""
_BAD = "bad records"
_READER = Reader(draft=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """What a process judges with. `attention`: leave out the pairs that are fine."""

    policies: PlacementSet
    context: Context
    as_json: bool
    attention: bool
    full: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a piece: lines to print, how many pairs are in which state, and what is no resource."""

    lines: bytes
    states: Counter[str]
    resources: int
    bad: tuple[BadRecord, ...]


_bench: Bench | None = None


def evaluate(
    policy: Annotated[
        list[str],
        typer.Option(help="a policy file or folder, a policy of the catalog, or `catalog`; repeat for more"),
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

    Policies are definitions, initiatives and assignments; what they refer to is looked for among them and in the
    catalog, and is judged as they have it.

    Resources are ARM bodies, pages of them, exports or JSON lines; they are read as they come, in bounded memory.
    """
    policies = PlacementSet(source.placed(policy, parameters, aliases))
    bench = Bench(policies, source.context(), json, attention, full)
    pieces = batched(source.records_of(resource or ["-"]), PIECE, strict=False)
    states: Counter[str] = Counter()
    resources = 0
    for judged in pool.spread(work, pieces, jobs=jobs or os.cpu_count() or 1, start=start, given=(bench,)):
        sys.stdout.write(judged.lines.decode())
        _tell(judged.bad)
        states += judged.states
        resources += judged.resources
    sys.stdout.flush()
    if resources != 1 or len(bench.policies) != 1:
        show.errors.print(f"{resources} resources, {len(bench.policies)} policies: {show.counts(states)}")
    raise typer.Exit(_code(states))


def _code(states: Counter[str]) -> int:
    if states[State.NON_COMPLIANT]:
        return WRONG
    return UNSETTLED if states[State.UNKNOWN] or states[State.ERROR] or states[_BAD] else 0


def _tell(bad: Iterable[BadRecord]) -> None:
    for each in bad:
        show.errors.print(f"[yellow]left out:[/] record {each.position}: {escape(each.reason)}", soft_wrap=True)


def start(bench: Bench) -> None:
    """Prepare this process."""
    global _bench  # noqa: PLW0603 - one per process of the pool
    _bench = bench


def work(records: Iterable[Record]) -> Judged:
    """Read and judge a piece."""
    assert _bench is not None  # `start` came first
    states: Counter[str] = Counter()
    lines: list[bytes] = []
    bad: list[BadRecord] = []
    number = 0
    for found in (each for record in records for each in _READER.read(record)):
        if isinstance(found, BadRecord):
            bad.append(found)
            continue
        number += 1
        lines += _judged(found, _bench, states)
    states[_BAD] += len(bad)
    return Judged(b"".join(lines), states, number, tuple(bad))


def _judged(resource: Resource, bench: Bench, states: Counter[str]) -> Iterator[bytes]:
    """The lines on one resource; its pairs are counted."""
    compliant, verdicts = _verdicts(resource, bench)
    states[State.COMPLIANT.value] += compliant
    for place, verdict in verdicts:
        states[verdict.state.value] += 1
        if not bench.attention or verdict.state in ATTENTION:
            yield _line(place, resource, verdict, bench)


def _verdicts(resource: Resource, bench: Bench) -> tuple[int, list[Placed]]:
    """Compliant pairs that are only counted, and a verdict for each of the others.

    A single policy also tells of resources that it is not about.
    """
    policies = bench.policies
    if len(policies) == 1:
        (place,) = policies.placements
        return 0, [(place, place.judge(resource, bench.context))]
    return policies.tally(resource, bench.context) if bench.attention else (0, policies.judge(resource, bench.context))


def _line(place: Placement, resource: Resource, verdict: Verdict, bench: Bench) -> bytes:
    if bench.as_json and not bench.full:
        return orjson.dumps(_record(place, resource, verdict)) + b"\n"
    explained = place.explain(resource, bench.context)
    if bench.as_json:
        return orjson.dumps({**explained.to_json(), **place.told(verdict)}) + b"\n"
    return _text(place, resource, explained, named=len(bench.policies) > 1)


def _name(resource: Resource) -> str:
    """The id, or what a body that has none yet calls itself."""
    return resource.id or f"{resource.type}/{resource.body.get('name') or ''}".rstrip("/")


def _record(place: Placement, resource: Resource, verdict: Verdict) -> dict[str, Any]:
    found = {
        **place.told(verdict),
        "resource": _name(resource),
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


def _text(place: Placement, resource: Resource, explained: Explanation, *, named: bool) -> bytes:
    head = f"{show.state(explained.verdict.state)} {show.short(_name(resource))}"
    message = place.message(explained.verdict)
    with show.console.capture() as captured:
        by = f" [bold]{escape(place.name)}[/]" if named else ""
        more = f" [dim]·[/] {escape(message)}" if message else ""
        show.console.print(f"{head}{by}: {escape(explained.sentence())}{more}", soft_wrap=True)
    return captured.get().encode()
