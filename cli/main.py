"""The `cortex` command: run the product, import and scan an estate, see findings, fix them, write policies."""

import io
import sys
from typing import Annotated, Any, override

import typer
from pydantic import ValidationError
from typer.completion import completion_init  # type: ignore[attr-defined] # it has no list of its names
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli import (
    catalog,
    doctor,
    evaluate,
    exemption,
    finding,
    framework,
    import_job,
    policy,
    rebuild,
    remediation,
    resource,
    run,
    scan,
    settings,
    sign_in,
    status,
    terminal,
)
from cli.client import ApiError
from cli.environment import COMMAND_VARIABLES
from cli.exit_code import FAILED, MEANINGS
from shared.domain.error import CortexError, Damaged
from shared.domain.printable import printable
from shared.domain.validation_message import describe


class CommandGroup(TyperGroup):
    """Commands whose usage errors show file names and options as text that cannot steer the terminal."""

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except TyperException as error:
            message = vars(error).get("message", "")
            if "Did you mean" not in message:
                vars(error)["message"] = f"{message} There are: {', '.join(self.commands)}."
            raise

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TyperException as error:
            cause, message = error.__cause__, getattr(error, "message", None)
            if isinstance(cause, ValidationError):
                message = describe(cause.errors(include_url=False)[0])
            if isinstance(message, str):
                vars(error)["message"] = printable(message)
            raise


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata  # noqa: PLC0415 - no command needs it

        print(f"cortex {metadata.version('policycortex')}")  # noqa: T201 - the output itself
        raise typer.Exit


EPILOG = "\n\n".join(
    (
        "**Exit codes**",
        "\n".join(f"- {code}: {meaning}" for code, meaning in MEANINGS.items()),
        "**Environment** (`cortex settings list` has all)",
        "\n".join(f"- {name}: {meaning}" for name, meaning in COMMAND_VARIABLES.items()),
    )
)
app = typer.Typer(
    name="cortex",
    cls=CommandGroup,
    help="PolicyCortex: govern a cloud estate with the Azure Policy language.\n\n"
    "Commands are a noun and a verb; those without a noun are about the whole product, or about files. Start with "
    "`cortex run`, then try `cortex finding list`, `cortex finding explain` and `cortex remediation request`.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Take the options before a command."""


COMMANDS = (
    ("Product", "run", run.run),
    ("Product", "sign-in", sign_in.sign_in),
    ("Product", "token", sign_in.print_token),
    ("Product", "estate", run.estate),
    ("Product", "rebuild", rebuild.rebuild),
    ("Product", "doctor", doctor.doctor),
    ("Product", "completion", settings.print_completion),
    ("Estate", "status", status.status),
    ("Policies", "evaluate", evaluate.evaluate),
)
"""Panel of the help, name and function of each command; the first sentence of its docstring is its short help."""
NOUNS = (
    ("Product", "settings", settings.app),
    ("Estate", "finding", finding.app),
    ("Estate", "resource", resource.app),
    ("Estate", "framework", framework.app),
    ("Estate", "scan", scan.app),
    ("Estate", "import", import_job.app),
    ("Remediation", "remediation", remediation.app),
    ("Remediation", "exemption", exemption.app),
    ("Policies", "policy", policy.app),
    ("Policies", "assignment", catalog.assignments),
    ("Policies", "initiative", catalog.initiatives),
)
"""Panel of the help, and name of each noun, with its verbs."""
for panel, name, command in COMMANDS:
    app.command(name, rich_help_panel=panel)(command)
for panel, name, verbs in NOUNS:
    app.add_typer(verbs, name=name, rich_help_panel=panel, cls=CommandGroup)


def main() -> None:
    """Run the command line; an error that the user can fix is one line, not a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show every character
    completion_init()
    try:
        app(prog_name="cortex")
    except (ApiError, CortexError) as error:
        place = f" ({error.place})" if isinstance(error, Damaged) and error.place else ""
        terminal.print_err("[bold red]✗[/] {}{}", error, place)
        for noun in ("remediation", "exemption"):
            if known := getattr(error, noun, None):
                terminal.print_err("Look at it with:\n  cortex {} show {}", noun, known)
        sys.exit(FAILED)
