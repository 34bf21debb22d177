"""Puts the files of the repository's root into the wheel's one package; `hatchling` runs it when it builds the wheel.

pyproject.toml can map folders into the package, but not single files without copying them into a checkout's
environment as well.
"""
# ruff: noqa: INP001 - a script, loaded by its path

from typing import Any, override

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT_FILES = ("function_app.py", "host.json")
"""What `cortex run` needs besides the rooms."""


class RootFiles(BuildHookInterface[Any]):
    """Adds the files to a wheel that is installed; an editable one finds them in the checkout."""

    @override
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the files and their places in the wheel."""
        if version == "standard":
            build_data["force_include"] |= {name: f"policycortex/{name}" for name in ROOT_FILES}
