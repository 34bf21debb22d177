"""`cortex policy`: tools for people who write policies."""

import typer

from cli import catalog, explain, formatter, lint, test_case

app = typer.Typer(
    help="list, show, lint, rules, test, explain, fmt: the catalog, and policies of your own", no_args_is_help=True
)

app.command("list")(catalog.list_policies)
app.command("show")(catalog.show_policy)
app.command("lint")(lint.lint)
app.command("rules")(lint.rules)
app.command("test")(test_case.run_cases)
app.command("explain")(explain.explain_policy)
app.command("fmt")(formatter.fmt)
