"""Reads infra/ without the Bicep compiler: what each file declares, and what it takes and gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser  # type: ignore[import-untyped]  # it ships no types

INFRA = Path(__file__).parents[2] / "infra"
FILES = tuple(sorted(INFRA.rglob("*.bicep")))


@dataclass(frozen=True, slots=True)
class Module:
    """A module as a file uses it: the file it names, the parameters it gives."""

    name: str
    path: Path
    given: frozenset[str]


@cache
def parsed(path: Path) -> Mapping[str, Any]:
    """A file as pycep reads it."""
    found: Mapping[str, Any] = BicepParser().parse(text=path.read_text(encoding="utf-8"))
    return found


def parameters(path: Path) -> dict[str, bool]:
    """The parameters of a file: whether each must be given."""
    return {name: each.get("default") is None for name, each in parsed(path).get("parameters", {}).items()}


def outputs(path: Path) -> frozenset[str]:
    """The outputs of a file."""
    return frozenset(parsed(path).get("outputs", {}))


def modules(path: Path) -> list[Module]:
    """The modules that a file uses."""
    return [
        Module(
            name,
            (path.parent / each["detail"]["path"]).resolve(),
            frozenset(body(each["config"]).get("params", {})),
        )
        for name, each in parsed(path).get("modules", {}).items()
    ]


def resources(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """What a file creates: symbolic name, type, body."""
    for name, each in parsed(path).get("resources", {}).items():
        if not each["existing"]:
            yield name, each["type"], body(each["config"])


def body(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of a declaration, out of its loops and conditions."""
    while "config" in config and ("condition" in config or "loop_type" in config):
        config = config["config"]
    return config
