"""The `cortex` command: run the product, import and scan, see findings, fix them, try policies."""

import sys

import typer
from rich.console import Console

from cli import evaluate, find, fix, run, work
from cli.client import ApiError
from shared.domain.error import CortexError

app = typer.Typer(
    name="cortex",
    help="PolicyCortex: govern a cloud estate with the Azure Policy language.\n\n"
    "Start with `cortex run`; then look at `cortex findings`, `cortex explain` and `cortex remediate`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("run", rich_help_panel="The product")(run.run)
app.command("token", rich_help_panel="The product")(run.mint)
app.command("estate", rich_help_panel="The product")(run.estate)
app.command("import", rich_help_panel="See")(work.import_file)
app.command("scan", rich_help_panel="See")(work.scan)
app.command("status", rich_help_panel="See")(find.status)
app.command("findings", rich_help_panel="See")(find.findings)
app.command("explain", rich_help_panel="See")(find.explain)
app.command("evaluate", rich_help_panel="See")(evaluate.evaluate)
app.command("remediate", rich_help_panel="Fix")(fix.remediate)
app.command("approve", rich_help_panel="Fix")(fix.approve)


def main() -> None:
    """Run the command line; errors that people can mend are one line, not a stack."""
    try:
        app()
    except (ApiError, CortexError) as error:
        Console(stderr=True).print(f"[bold red]✗[/] {error}", highlight=False)
        sys.exit(1)
