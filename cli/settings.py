"""`cortex settings` and `cortex completion`: what the command reads, and how a shell completes it."""

from typing import Annotated, Literal

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # it has no list of its names

from cli import listing
from cli.environment import COMMAND_VARIABLES, SERVICE_VARIABLES, value_of
from cli.listing import Listed, Listing, ListOptions

SETTINGS = Listing("", "setting", "settings", ("name", "value", "meaning"))
COMPLETION_VARIABLE = "_CORTEX_COMPLETE"

app = typer.Typer(help="list: the environment variables that are read", no_args_is_help=True)


@app.command("list")
def list_settings(
    columns: listing.ColumnsOption = None, csv: listing.CsvOption = False, json: listing.JsonOption = False
) -> None:
    """List the environment variables of commands and service, what they mean, and what they are set to here.

    Secrets are not printed.
    """
    items = [
        {"name": name, "value": value_of(name), "meaning": meaning, "readBy": reader}
        for reader, variables in (("command", COMMAND_VARIABLES), ("service", SERVICE_VARIABLES))
        for name, meaning in variables.items()
    ]
    listing.write(SETTINGS, Listed(items, len(items)), ListOptions(len(items), True, columns, csv, json))


def print_completion(shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="the shell")]) -> None:
    """Print the script that completes `cortex` in a shell.

    For bash: `cortex completion bash > ~/.local/share/bash-completion/completions/cortex`. For zsh: into a file
    `_cortex` in a folder of `$fpath`. For fish: `cortex completion fish > ~/.config/fish/completions/cortex.fish`.
    """
    print(get_completion_script(prog_name="cortex", complete_var=COMPLETION_VARIABLE, shell=shell))  # noqa: T201 - the output itself
