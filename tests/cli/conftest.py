"""The command line as people call it, in this process."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import terminal
from cli.main import app

Cortex = Callable[..., Result]


@pytest.fixture
def cortex(monkeypatch: pytest.MonkeyPatch) -> Cortex:
    """Runs `cortex …`; standard input may be given."""
    monkeypatch.setattr(terminal.console, "width", 200)

    def run(*arguments: Any, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)

    return run
