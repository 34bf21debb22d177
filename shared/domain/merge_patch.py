"""Merge patches (RFC 7396). Standard library only."""

from collections.abc import Mapping

from shared.domain.resource import Json


def merged(target: Json, patch: Json) -> Json:
    """Return the value after a merge patch (RFC 7396): null removes, objects are merged, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    # As RFC 7396 has it: a patch that is an object makes an object of whatever was there.
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
