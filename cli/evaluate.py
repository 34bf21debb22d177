"""`cortex evaluate`: judge resource files by a policy on this machine, with no service and no cloud."""

import json as stdlib_json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from shared import bootstrap
from shared.domain.error import InvalidInput
from shared.domain.inventory import BadRecord
from shared.domain.resource import Resource
from shared.domain.verdict import State
from shared.engine import Context, Policy, compile_definition, explain
from shared.ports.catalog import Catalog
from shared.services import intake
from shared.services import policy as known

WRONG = 3
UNSETTLED = 4


def evaluate(
    policy: Annotated[str, typer.Option(help="a file with a policy definition, or the name of one in the catalog")],
    resource: Annotated[str, typer.Option(help="a file of resources (ARM bodies, pages, JSON lines), or - for stdin")],
    parameters: Annotated[str, typer.Option(help="parameter values as a JSON object")] = "{}",
    json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Judge resources by one policy, offline. Exit code 3 when one is non-compliant, 4 when one is not settled."""
    catalog = bootstrap.catalog()
    compiled = _compile(policy, _object(parameters), catalog)
    states = [_judge(compiled, each, as_json=json) for each in _resources(resource)]
    if State.NON_COMPLIANT in states:
        raise typer.Exit(WRONG)
    raise typer.Exit(UNSETTLED if {State.UNKNOWN, State.ERROR} & set(states) else 0)


def _judge(policy: Policy, resource: Resource | BadRecord, *, as_json: bool) -> State:
    if isinstance(resource, BadRecord):
        show.errors.print(f"[yellow]left out:[/] record {resource.position}: {escape(resource.reason)}")
        return State.ERROR
    explained = explain(policy, resource, Context())
    verdict = explained.verdict
    if as_json:
        sys.stdout.write(stdlib_json.dumps({"resource": resource.id, **explained.to_json()}) + "\n")
    else:
        show.console.print(
            f"{show.state(verdict.state)} {show.short(resource.id)}: {escape(explained.sentence())}", highlight=False
        )
    return verdict.state


def _compile(policy: str, parameters: dict[str, Any], catalog: Catalog) -> Policy:
    return compile_definition(_definition(policy, catalog), aliases=known.aliases(catalog), parameters=parameters)


def _definition(policy: str, catalog: Catalog) -> dict[str, Any]:
    if Path(policy).is_file():
        return _object(Path(policy).read_text(encoding="utf-8"))
    for entry in catalog.policies():
        if entry.name == policy:
            return dict(entry.definition)
    raise InvalidInput(f"'{policy}' is neither a file nor a policy of the catalog", path="--policy")


def _object(text: str) -> dict[str, Any]:
    try:
        loaded = stdlib_json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"not JSON: {error}") from error
    if not isinstance(loaded, dict):
        raise InvalidInput("a JSON object is expected")
    return loaded


def _resources(source: str) -> Iterator[Resource | BadRecord]:
    if source == "-":
        yield from intake.records(sys.stdin.buffer)
        return
    path = Path(source)
    if not path.is_file():
        raise InvalidInput(f"there is no file {source}", path="--resource")
    with path.open("rb") as opened:
        yield from intake.records(opened)
