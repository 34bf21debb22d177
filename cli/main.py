"""The `cortex` command: run the product, import and scan, see findings, fix them, try policies."""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from cli import evaluate, find, fix, policy, run, work
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

COMMANDS = (
    ("The product", "run", run.run, "run the product here, with a sample estate"),
    ("The product", "token", run.mint, "print a development token"),
    ("The product", "estate", run.estate, "print a sample estate of any size"),
    ("See", "import", work.import_file, "import an inventory exported elsewhere"),
    ("See", "scan", work.scan, "collect the estate and judge it"),
    ("See", "status", find.status, "how the estate stands"),
    ("See", "findings", find.findings, "what needs attention"),
    ("See", "explain", find.explain, "why a finding is what it is"),
    ("See", "evaluate", evaluate.evaluate, "judge a file by a policy, offline"),
    ("Fix", "remediate", fix.remediate, "plan the fix of findings"),
    ("Fix", "approve", fix.approve, "let somebody else's plan be carried out"),
)
for panel, name, command, short in COMMANDS:
    app.command(name, rich_help_panel=panel, short_help=short)(command)
app.add_typer(policy.app, name="policy", rich_help_panel="Policies")


def main() -> None:
    """Run the command line; errors that people can mend are one line, not a stack."""
    try:
        app(prog_name="cortex")
    except (ApiError, CortexError) as error:
        Console(stderr=True).print(f"[bold red]✗[/] {escape(str(error))}", highlight=False)
        sys.exit(1)
