"""Paths of properties as people write them: `properties.rules[2].name`, `tags['cost.center']`."""

import re

_PLAIN_NAME = re.compile(r"[^.\[\]']+")


def tag_path(tag: str) -> str:
    """Return the path of a tag, quoted as a policy writes it."""
    return f"tags['{tag.replace("'", "''")}']"


def join(path: str, key: str) -> str:
    """Return the path of a property; names that hold a dot, a bracket or a quote are put in brackets."""
    if not _PLAIN_NAME.fullmatch(key):
        quoted = key.replace("'", "''")
        return f"{path}['{quoted}']"
    return f"{path}.{key}" if path else key
