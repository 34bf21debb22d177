"""What Azure Resource Manager takes as tags.

Source: Azure Resource Manager, "Use tags to organize your Azure resources and management hierarchy", "Limitations"; the
codes and messages are those of its responses.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

TAGS = 50
NAME_CHARACTERS, STORAGE_NAME_CHARACTERS = 512, 128
VALUE_CHARACTERS = 256
_STORAGE_ACCOUNT = "microsoft.storage/storageaccounts"
_FORBIDDEN = re.compile(r"[<>%&\\?/\x00-\x1f\x7f]")
_RESERVED_PREFIXES = ("microsoft", "azure", "windows")
_SERVICE_PREFIXES = ("hidden-", "link:")
"""The beginnings of names that the portal and services give to tags of their own, in which any character may be."""


class TagViolation(NamedTuple):
    """The error code with which a tag is refused, and why."""

    code: str
    message: str


def violation(
    tags: Mapping[str, str], resource_type: str, before: Mapping[str, str] | None = None
) -> TagViolation | None:
    """Return why a resource of a type cannot have these tags; None when it can.

    `before` are the tags that it has: those that stay are not looked at one by one.
    """
    if len(tags) > TAGS:
        counted = f"Requested tag count - '{len(tags)}'. Maximum number of tags allowed - '{TAGS}'."
        return TagViolation("InvalidTags", f"Too many tags specified. {counted}")
    twice = len({name.lower() for name in tags}) < len(tags)
    if twice:
        return TagViolation("InvalidTags", "Tag names differ in case only, and names are compared without case.")
    known = before or {}
    changed = {name: value for name, value in tags.items() if known.get(name) != value}
    longest = STORAGE_NAME_CHARACTERS if resource_type.lower() == _STORAGE_ACCOUNT else NAME_CHARACTERS
    found = (_violation(name, value, longest) for name, value in changed.items())
    return next((each for each in found if each), None)


def _violation(name: str, value: str, longest: int) -> TagViolation | None:
    """Return why one tag is refused."""
    lower = name.lower()
    if not name.strip():
        return TagViolation("InvalidTagName", "The tag name must be non-null, non-empty and non-whitespace only.")
    if _FORBIDDEN.search(name) and not lower.startswith(_SERVICE_PREFIXES):
        message = f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters."
        return TagViolation("InvalidTagNameCharacters", message)
    if len(name) > longest:
        limit = f"Maximum allowed length for tag name - '{longest}' characters."
        return TagViolation("InvalidTagName", f"Tag name too large. Following tag name '{name}' exceeded it. {limit}")
    if lower.startswith(_RESERVED_PREFIXES):
        return TagViolation("InvalidTagName", f"The tag name '{name}' begins with a prefix that is reserved for Azure.")
    if len(str(value)) > VALUE_CHARACTERS:
        limit = f"Maximum allowed length for tag value - '{VALUE_CHARACTERS}' characters."
        return TagViolation(
            "InvalidTagValueLength", f"Tag value too large. The value of tag '{name}' exceeded it. {limit}"
        )
    return None
