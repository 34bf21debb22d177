"""The installed `cortex` command, and `python -m policycortex`: finds the app's rooms and runs its command line.

The rooms import each other as `shared`, `functions`, … - names that the deployed app fixes, and that other
distributions may own as well. So they are installed inside this package, and only a process of this command has them
on its path, before everything else. docs/decisions/wheel.md says more.
"""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
ROOT = _HERE if (_HERE / "shared").is_dir() else _HERE.parent
"""The folder of the rooms: this package where it is installed, the repository where it is checked out."""
_ROOMS = frozenset({"cli", "functions", "local", "shared"})


def main() -> None:
    """Run the command line; exits with a sentence when an extra is missing that the command needs."""
    sys.path.insert(0, str(ROOT))
    extra = "cli"
    try:
        from cli.main import main as run_command  # noqa: PLC0415 - not importable before the path is set

        extra = "local"
        run_command()
    except KeyboardInterrupt:  # while modules are loaded; commands see to it themselves
        sys.exit(130)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if not name or name in _ROOMS:
            raise
        sys.exit(f"This command needs {name}, which is not installed: pip install 'policycortex[{extra}]'")


if __name__ == "__main__":
    main()
