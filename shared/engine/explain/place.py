"""Places in a body: the steps of a path, and members of arrays by the names that people gave them."""

import re
from collections.abc import Iterator, Sequence

from shared.domain.resource import Json
from shared.domain.spelling import respell
from shared.engine.compile.field import tag_name
from shared.engine.explain.sentence import value_text

PathStep = str | int
_NAMES = ("name", "displayName", "id", "category", "categoryGroup", "key")
_STEP = re.compile(r"\[(\d+)\]|\['((?:[^']|'')*)'\]|([^.\[\]]+)")
_INDEX = re.compile(r"\[\d+\]")


def path_steps(path: str) -> list[PathStep] | None:
    """Return the keys and indexes of a property path; None for one with open stars."""
    tag = tag_name(path)
    if tag is not None:
        return ["tags", tag]
    if "[*]" in path:
        return None
    found: list[PathStep] = []
    for index, quoted, name in _STEP.findall(path):
        found.append(int(index) if index else name or quoted.replace("''", "'"))
    return found


def value_at(body: Json, steps: Sequence[PathStep]) -> Json:
    """Return what stands at the end of steps; None where there is nothing."""
    for step in steps:
        if isinstance(step, int):
            body = body[step] if isinstance(body, list) and step < len(body) else None
        else:
            body = body.get(respell(body, step)) if isinstance(body, dict) else None
    return body


def open_path(path: str) -> str:
    """Return the path with a star in place of each index, in lower case: the same for all members."""
    return _INDEX.sub("[*]", path).lower()


def member_paths(body: Json, path: str) -> Iterator[str]:
    """Yield the path of each member that a path with stars selects, in the order in which they are collected."""
    before, star, after = path.partition("[*]")
    if not star:
        yield path
        return
    members = value_at(body, path_steps(before) or ())
    for index in range(len(members) if isinstance(members, list) else 0):
        yield from member_paths(body, f"{before}[{index}]{after}")


def member_name(member: Json) -> str:
    """Return what people call a member of an array, in quotes; "" where nothing names it."""
    if not isinstance(member, dict):
        return ""
    named = (member.get(respell(member, each)) for each in _NAMES)
    name = next((each for each in named if isinstance(each, str) and each), "")
    return value_text(name.rpartition("/")[2] if name.startswith("/") else name) if name else ""


def named_place(body: Json, path: str) -> str:
    """Return a path as people say it: members of arrays by their names, where they have some."""
    found = list(_INDEX.finditer(path))
    for each in reversed(found):
        name = member_name(value_at(body, path_steps(path[: each.end()]) or ()))
        if name:
            inner = path[each.end() :].lstrip(".")
            array = path[: each.start()]
            return f"{f'{inner} of ' if inner else ''}{name} in {named_place(body, array)}"
    return path
