"""Versions of orchestrations: which instances this app may run.

Source: "Orchestration versioning in Durable Functions", version comparison rules, version matching.
"""

import re

from local.host.setting import DurableTask

_DOTTED = re.compile(r"\d+(?:\.\d+){1,3}")


def mismatch(version: str, settings: DurableTask) -> str:
    """Return why this app must not run an instance of a version; "" when it may. No version is older than any."""
    own = settings.default_version or ""
    if not own or settings.version_match_strategy == "None":
        return ""
    order = compare(version, own)
    if settings.version_match_strategy == "Strict":
        return "" if order == 0 else f"the orchestration version '{version}' does not match the app's version '{own}'"
    return "" if order <= 0 else f"the orchestration version '{version}' is greater than the app's version '{own}'"


def compare(first: str, second: str) -> int:
    """Compare versions: negative when the first is older, 0 when they are equal, positive when it is newer."""
    if _DOTTED.fullmatch(first) and _DOTTED.fullmatch(second):
        # As numbers: 1.10 is newer than 1.9.
        one, other = ([*map(int, each.split("."))] for each in (first, second))
    else:
        one, other = ([*map(ord, each.lower())] for each in (first, second))
    return (one > other) - (one < other)
