"""`cortex policy`: what people need who write policies."""

import typer

from cli import explain, layout, lint, trial

app = typer.Typer(help="Write policies: lint, test, explain and format definitions.", no_args_is_help=True)

app.command("lint")(lint.lint)
app.command("rules")(lint.rules)
app.command("test")(trial.run_cases)
app.command("explain")(explain.explain_policy)
app.command("fmt")(layout.fmt)
