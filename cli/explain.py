"""`cortex policy explain`: why a policy says of resources what it says, and the smallest change that would comply."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from cli import context_index, input_file, members, origin, resource_file, terminal
from cli.context_index import ContextIndex
from cli.explanation import Place, no_place, policy_title, print_explanation
from shared.authoring.library import DocumentShape, Library
from shared.domain.inventory import RecordError
from shared.domain.resource import Resource
from shared.engine import Context, EffectivePolicy, Explanation, PolicySet, compile_set, explain_effective
from shared.importing.inventory_reader import RecordReader

EXIT_UNSETTLED = 4


def explain_policy(
    policy: input_file.PolicyName,
    resource: Annotated[
        str | None, typer.Option("--resource", help="a file of resources, or - for stdin; without it, list the members")
    ] = None,
    subscription: origin.SubscriptionOption = None,
    resource_group: origin.ResourceGroupOption = None,
    management_group: origin.ManagementGroupOption = None,
    location: origin.LocationOption = None,
    api_version: origin.ApiVersionOption = None,
    parameter: origin.ParameterOption = None,
    parameters: input_file.Parameters = "{}",
    aliases: input_file.Aliases = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="print the tree of clauses too")] = False,
    json: Annotated[bool, typer.Option("--json", help="print JSON lines")] = False,
) -> None:
    """Explain the result of a policy on resources: what is wrong, where, why, the controls, the smallest change.

    Without --resource, list the members and parameters of an initiative or an assignment. Exit code 4 when a policy
    file could not be used and was left out.
    """
    if resource is None:
        members.show_members(policy, as_json=json)
        return
    known = origin.read_origin(
        parameter or (),
        subscription=subscription,
        resource_group=resource_group,
        management_group=management_group,
        location=location,
        api_version=api_version,
    )
    resolved = input_file.effective_policies([policy], parameters, aliases)
    for problem in resolved.refused:
        terminal.print_left_out(problem)
    for note in resolved.notes:
        terminal.print_err("{}", note)
    library = input_file.gather_policies([policy])[0]
    for found, context in _resources(resource, RecordReader(known, draft=True), compile_set(resolved.policies)):
        for each in resolved.policies:
            _print(
                each, explain_effective(each, found, context), _place_in(library, each), as_json=json, verbose=verbose
            )
    raise typer.Exit(EXIT_UNSETTLED if resolved.refused else 0)


def _resources(place: str, reader: RecordReader, policies: PolicySet) -> Iterator[tuple[Resource, Context]]:
    """Yield the resources of a file as `evaluate` judges them, and tell what could not be read."""
    with TemporaryDirectory(prefix="cortex-") as folder:
        files, index = [resource_file.regular(place, Path(folder))], Path(folder) / "context"
        context_index.write_index(index, resource_file.read_records(files), reader, policies)
        with closing(ContextIndex(index, input_file.context(), policies)) as context:
            for record in resource_file.read_records(files, terminal.print_left_out):
                for found in reader.read(record):
                    if isinstance(found, RecordError):
                        terminal.print_left_out(f"record {found.position}, line {found.line}: {found.reason}")
                    else:
                        yield context.with_related(found), context.of(found)


def _place_in(library: Library, effective: EffectivePolicy) -> Place:
    """Return how to find the clauses of a policy in its file; those of the catalog have none."""
    document = library.find(effective.definition, DocumentShape.DEFINITION)
    return document.place if document and document.locate else no_place


def _print(effective: EffectivePolicy, explained: Explanation, place: Place, *, as_json: bool, verbose: bool) -> None:
    told = {**explained.to_json(), **effective.to_json(explained.verdict)}
    if as_json:
        terminal.print_json(told, indent=None)
        return
    verdict = explained.verdict
    terminal.print_out(
        "{} [bold]{}[/] on {}",
        terminal.state(verdict.state),
        policy_title(effective),
        terminal.shorten_id(verdict.resource),
    )
    print_explanation(told, place, verbose=verbose)
