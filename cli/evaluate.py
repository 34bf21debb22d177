"""`cortex evaluate`: evaluate files or pipes of resources against policies, with no service and no cloud."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import orjson
import typer

from cli import context_index, input_file, origin, pool, resource_file, terminal
from cli.context_index import ContextIndex
from cli.explanation import policy_title, print_explanation
from cli.remark import Remarks
from cli.resource_file import ResourceFile
from shared.domain.error import InvalidInput
from shared.domain.inventory import RecordError
from shared.domain.printable import printable_json
from shared.domain.resource import Resource
from shared.domain.verdict import FINDING_STATES, State, Verdict
from shared.engine import Context, EffectivePolicy, Explanation, PolicySet, compile_set, explain_effective
from shared.importing import hint
from shared.importing.inventory_reader import InventoryRecord, RecordReader
from shared.importing.seen_ids import SeenIds
from shared.importing.template import PARAMETERS_PATH

EXIT_NON_COMPLIANT = 3
EXIT_UNSETTLED = 4
BATCH_RECORDS = 200
"""Records in one batch."""
_LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class EvaluationSetup:
    """What a process evaluates with, and what it prints; `findings_only` leaves out compliant pairs.

    `plain` is the context without what the `index` has from the input.
    """

    policies: PolicySet
    plain: Context
    index: Path
    reader: RecordReader
    as_json: bool
    findings_only: bool
    full: bool


@dataclass(frozen=True, slots=True)
class EvaluatedResource:
    """The result of a resource: lines to print, and the number of pairs by state. `whole`: it has its properties."""

    id: str
    whole: bool
    lines: bytes
    states: Counter[str]


@dataclass(frozen=True, slots=True)
class EvaluatedBatch:
    """The results of a batch, and the records that are no resources, and why.

    `flattened`: some without properties have them at the top level.
    """

    results: tuple[EvaluatedResource, ...]
    bad: tuple[str, ...]
    flattened: bool


class EvaluationTotal:
    """The number of pairs by state and of resources so far; memory is bounded by 24 bytes an id."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter()
        self.resources = self.without_properties = 0
        self.flattened = False
        self._whole, self._poor = SeenIds(), SeenIds()

    def add(self, found: EvaluatedResource, remarks: Remarks) -> bool:
        """Count a result, and return whether it counts: not without properties, of a resource that came with them.

        One that comes with them later is remarked upon, as its first result was printed.
        """
        key = found.id.lower().rstrip("/")
        if key and not found.whole and key in self._whole:
            return False
        again = bool(key) and found.whole and key in self._poor and key not in self._whole
        if key:
            (self._whole if found.whole else self._poor).add(key)
        if again:
            remarks.add(f"{found.id} was evaluated before without its properties, which this record has: name it first")
        self.states.update(found.states)
        self.resources += not again
        self.without_properties += -1 if again else not found.whole
        return True


_setup: EvaluationSetup | None = None
_context: ContextIndex | None = None


def evaluate(
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="a policy file or folder, a policy or initiative of the catalog, or `catalog`, the default; repeat "
            "for more"
        ),
    ] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(help="a file or folder of resources, or gzip of one, or - for stdin; repeat for more"),
    ] = None,
    subscription: origin.SubscriptionOption = None,
    resource_group: origin.ResourceGroupOption = None,
    management_group: origin.ManagementGroupOption = None,
    location: origin.LocationOption = None,
    api_version: origin.ApiVersionOption = None,
    parameter: origin.ParameterOption = None,
    parameters: input_file.Parameters = "{}",
    aliases: input_file.Aliases = None,
    findings_only: Annotated[bool, typer.Option("--findings-only", help="leave out what complies")] = False,
    full: Annotated[
        bool, typer.Option("--explain", help="explain each result; with --json, the tree of clauses too")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="number of processes; 0 for one per core")] = 1,
    json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Evaluate resources against policies, offline.

    Exit code 1 when nothing was evaluated: no resource could be read, or no policy applies to any; 2 when the file of
    resources or the policy is not there; 3 when a resource is non-compliant; otherwise 4 when a result is unknown or
    an error, or when a record, a policy file or a file of resources could not be used and was left out.

    Policies are definitions, initiatives and assignments; what they refer to is looked up there and in the catalog.

    Resources are ARM bodies, pages of them, exports, templates or JSON lines, in files, folders or a pipe. They are
    read twice, in bounded memory: subscriptions, resource groups and related resources are context for the others.
    A template is evaluated as it would be deployed: options say where to; without them resources have no ids.
    """
    given = resource or [resource_file.STDIN]
    resource_file.check_there(given, "--resource")
    resolved = input_file.effective_policies(policy or ["catalog"], parameters, aliases)
    remarks = Remarks()
    for each in resolved.refused:
        remarks.add(each.message)
    for note in resolved.notes:
        terminal.print_err("{}", note)
    known = origin.read_origin(
        parameter or (),
        subscription=subscription,
        resource_group=resource_group,
        management_group=management_group,
        location=location,
        api_version=api_version,
    )
    reader, policies = RecordReader(known, draft=True), compile_set(resolved.policies)
    with TemporaryDirectory(prefix="cortex-") as folder:
        files = [resource_file.regular(each, Path(folder)) for each in given]
        index = Path(folder) / "context"
        context_index.write_index(index, resource_file.read_records(files), reader, policies)
        setup = EvaluationSetup(policies, input_file.context(), index, reader, json, findings_only, full)
        total = _evaluate_files(files, setup, jobs or os.cpu_count() or 1, remarks)
    if total.resources != 1 or len(policies) != 1:
        terminal.print_err(
            "{}, {}: {}",
            terminal.count(total.resources, "resource"),
            terminal.count(len(policies), "policy", "policies"),
            terminal.format_counts(total.states, empty="nothing to evaluate"),
        )
    if note := hint.without_properties(total.without_properties, total.resources, flattened=total.flattened):
        terminal.print_err("{}", note)
    remarks.close()
    if total.states.total() == total.states[_LEFT_OUT]:
        none = "there is no resource that can be read" if remarks.count else "there are no resources"
        lack = "no policy applies to the resources" if total.resources else none
        raise InvalidInput(f"{lack} in the input: nothing was evaluated", path="--resource")
    raise typer.Exit(_exit_code(total.states, settled=not remarks.count))


def _evaluate_files(
    files: Sequence[ResourceFile], setup: EvaluationSetup, jobs: int, remarks: Remarks
) -> EvaluationTotal:
    """Print what comes of the files, in their order, and return the totals."""
    total, last = EvaluationTotal(), ""
    batches = batched(resource_file.read_records(files, remarks.add), BATCH_RECORDS, strict=False)
    for judged in pool.map_batches(evaluate_batch, batches, jobs=jobs, start=start_process, given=(setup,)):
        sys.stdout.write(b"".join(each.lines for each in judged.results if total.add(each, remarks)).decode())
        for reason in judged.bad:
            if reason != last:  # all resources of a template may have the same
                remarks.add(reason)
            last = reason
        total.states[_LEFT_OUT] += len(judged.bad)
        total.flattened = total.flattened or judged.flattened
    if _context is not None:  # it stays open in processes of their own, which have ended
        _context.close()
    # Before anything else goes to the error stream, which may be the same terminal.
    sys.stdout.flush()
    return total


def _exit_code(states: Counter[str], *, settled: bool) -> int:
    if states[State.NON_COMPLIANT]:
        return EXIT_NON_COMPLIANT
    return 0 if settled and not (states[State.UNKNOWN] or states[State.ERROR] or states[_LEFT_OUT]) else EXIT_UNSETTLED


def start_process(setup: EvaluationSetup) -> None:
    """Prepare this process for its batches."""
    global _setup, _context
    _setup, _context = setup, ContextIndex(setup.index, setup.plain, setup.policies)


def evaluate_batch(records: Iterable[InventoryRecord]) -> EvaluatedBatch:
    """Read and evaluate a batch of records."""
    assert _setup is not None  # `start_process` came first
    assert _context is not None
    results: list[EvaluatedResource] = []
    bad: list[str] = []
    flattened = False
    for record in records:
        for found in _setup.reader.read(record):
            if isinstance(found, RecordError):
                bad.append(_remark(found, record.file))
                continue
            whole, states = "properties" not in found.unread, Counter[str]()
            flattened = flattened or (not whole and hint.is_flattened(found.body))
            lines = b"".join(_evaluate_resource(_context.with_related(found), _context.of(found), _setup, states))
            results.append(EvaluatedResource(found.id, whole, lines, states))
    return EvaluatedBatch(tuple(results), tuple(bad), flattened)


def _remark(error: RecordError, file: str) -> str:
    if error.path == PARAMETERS_PATH:  # it is about the template and not about one of its resources
        return f"{file}: {error.reason}" if file else error.reason
    place = f"{file}, record" if file else "record"
    return f"{place} {error.position}, line {error.line}: {error.reason}"


def _evaluate_resource(
    resource: Resource, context: Context, setup: EvaluationSetup, states: Counter[str]
) -> Iterator[bytes]:
    """Yield the lines about one resource, and count its pairs by state."""
    compliant, verdicts = _verdicts(resource, context, setup)
    states[State.COMPLIANT.value] += len(compliant)
    for effective, verdict in verdicts:
        states[verdict.state.value] += 1
        if not setup.findings_only or verdict.state in FINDING_STATES:
            yield _line(effective, resource, verdict, context, setup)


def _verdicts(
    resource: Resource, context: Context, setup: EvaluationSetup
) -> tuple[list[EffectivePolicy], list[tuple[EffectivePolicy, Verdict]]]:
    """Return the policies a resource complies with, which are only counted, and the verdicts of the others.

    A single policy has a verdict also on resources that it does not apply to.
    """
    policies = setup.policies
    if len(policies) == 1:
        (effective,) = policies.policies
        return [], [(effective, effective.judge(resource, context))]
    return policies.summarize(resource, context) if setup.findings_only else ([], policies.judge(resource, context))


def _line(
    effective: EffectivePolicy, resource: Resource, verdict: Verdict, context: Context, setup: EvaluationSetup
) -> bytes:
    if setup.as_json and not setup.full:
        return _json(_json_record(effective, resource, verdict))
    explained = explain_effective(effective, resource, context)
    if setup.as_json:
        return _json({**explained.to_json(), **effective.to_json(verdict)})
    return _text(effective, resource, explained, named=len(setup.policies) > 1, full=setup.full)


def _name(resource: Resource) -> str:
    """Return the id of a resource; the type and name of a body that has no id yet."""
    return resource.id or f"{resource.type}/{resource.body.get('name') or ''}".rstrip("/")


def _json_record(effective: EffectivePolicy, resource: Resource, verdict: Verdict) -> dict[str, Any]:
    found = {
        **effective.to_json(verdict),
        "resource": _name(resource),
        "state": verdict.state.value,
        "effect": verdict.effect,
    }
    if verdict.reason:
        found["reason"] = verdict.reason
    if verdict.evidence:
        found["evidence"] = [asdict(each) for each in verdict.evidence]
    if verdict.missing:
        found["missing"] = [asdict(each) for each in verdict.missing]
    return found


def _json(value: object) -> bytes:
    # orjson escapes the control characters below space, but not DEL and those from U+0080 to U+009F.
    text = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    return text if text.isascii() and b"\x7f" not in text else printable_json(text.decode()).encode()


def _text(effective: EffectivePolicy, resource: Resource, explained: Explanation, *, named: bool, full: bool) -> bytes:
    state, message = terminal.state(explained.verdict.state), effective.message(explained.verdict)
    by = terminal.styled(" [bold]{}[/]", policy_title(effective)) if named else ""
    more = terminal.styled(" [dim]·[/] {}", message) if message else ""
    with terminal.console.capture() as captured:
        if full:
            terminal.print_out("{} {}{}", state, terminal.shorten_id(_name(resource)), by, soft_wrap=True)
            print_explanation({**explained.to_json(), **effective.to_json(explained.verdict)})
        else:
            summary = explained.summary()
            terminal.print_out(
                "{} {}{}: {}{}", state, terminal.shorten_id(_name(resource)), by, summary, more, soft_wrap=True
            )
    return captured.get().encode()
