"""Loading an app through the worker library, and what is said when it cannot be loaded."""

import asyncio
import sys
from pathlib import Path

import pytest

from local.host.worker import LoadError, load

HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"


def write(folder: Path, source: str) -> Path:
    (folder / "function_app.py").write_text(source)
    return folder


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_package", "No module named 'no_such_package'"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("x = (", "SyntaxError"),
        ("x = 1", "Could not find top level function app instances"),
        (HEAD + "other = func.FunctionApp()", "More than one"),
        (
            HEAD + "@app.timer_trigger(arg_name='wrong', schedule='* * * * * *')\ndef f(timer) -> None: ...",
            "cannot load the f function",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded_says_why(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        asyncio.run(load(write(tmp_path, source)))
    assert "function_app" not in sys.modules
    assert str(tmp_path) not in sys.path


def test_a_failure_in_the_app_shows_where(tmp_path: Path) -> None:
    source = "def broken():\n    raise RuntimeError('deep inside')\n\nbroken()\n"
    with pytest.raises(LoadError) as caught:
        asyncio.run(load(write(tmp_path, source)))
    assert 'function_app.py", line 2, in broken' in str(caught.value)
    assert "handle_event.py" not in str(caught.value)


def test_a_folder_without_an_app_says_so(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"there is no function_app\.py"):
        asyncio.run(load(tmp_path))


def test_two_apps_are_loaded_independently(tmp_path: Path) -> None:
    async def names() -> list[list[str]]:
        loaded = []
        for name in ("first", "second"):
            folder = tmp_path / name
            folder.mkdir()
            source = f"{HEAD}@app.timer_trigger(arg_name='t', schedule='* * * * * *')\ndef {name}(t) -> None: ...\n"
            loaded.append(await load(write(folder, source)))
        found = [[each.name for each in worker.functions] for worker in loaded]
        for worker in loaded:
            worker.close()
        return found

    assert asyncio.run(names()) == [["first"], ["second"]]
    assert "function_app" not in sys.modules
