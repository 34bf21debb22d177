"""The changes that lead from one body to another, where the effect of a policy or its catalog entry says which body."""

from collections.abc import Iterator

from shared.domain.property_path import join, tag_path
from shared.domain.resource import Json
from shared.engine.explain.fix import Fix


def changes_between(before: Json, after: Json, path: str = "") -> Iterator[Fix]:
    """Yield the changes from one value to another: of single properties, and of members that are new at an end."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            inner = tag_path(name) if path == "tags" else join(path, name)
            if name not in after:
                yield Fix("remove", inner)
            elif name not in before and isinstance(after[name], dict) and after[name]:
                yield from changes_between({}, after[name], inner)
            else:
                yield from changes_between(before.get(name), after[name], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) <= len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=False)):
            yield from changes_between(old, new, f"{path}[{index}]")
        yield from (Fix("add", path, each) for each in after[len(before) :])
    elif before != after or type(before) is not type(after):
        yield Fix("set", path, after)
