"""YAML read as strictly as JSON: no duplicate keys, and only values that JSON can express."""

from math import isinf, isnan
from typing import Any

import yaml

from shared.domain.error import InvalidInput
from shared.engine.value import weight

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_DOCUMENT_VALUES = 1_000_000
_MIN_INTEGER, _MAX_INTEGER = -(1 << 63), (1 << 64) - 1


def read(text: str) -> Any:  # noqa: ANN401 - any YAML
    """Return the value of a YAML text with one document; InvalidInput names the problem by line and column."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: a date that does not exist
        raise InvalidInput(f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidInput("the YAML nests too deeply") from None
    if weight(found, _DOCUMENT_VALUES) > _DOCUMENT_VALUES:  # a few anchors can expand without end
        raise InvalidInput(f"the YAML has more than {_DOCUMENT_VALUES:,} values")
    return found


def _parse_error(reason: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, node.start_mark)


class _Loader(_LOADER):  # type: ignore[misc]
    """A safe loader, in C where available, that refuses what JSON cannot express."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._known: dict[int, yaml.Node] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse duplicate keys; PyYAML calls this before it builds a mapping, and again when it is merged."""
        if id(node) not in self._known:
            self._known[id(node)] = node
            seen: set[str] = set()
            for key, _ in node.value:
                if key.tag != _MERGE and isinstance(key, yaml.ScalarNode):
                    key.tag = _TEXT  # as in JSON, also a key that looks like a number, a date or null
                    if key.value in seen:
                        raise _parse_error(f"the key {key.value[:60]!r} occurs twice in one mapping", key)
                    seen.add(key.value)
        super().flatten_mapping(node)

    def number(self, node: yaml.ScalarNode) -> float:
        """Return a finite double."""
        found: float = self.construct_yaml_float(node)
        if isnan(found) or isinf(found):
            raise _parse_error(f"{node.value[:40]} is not a number that JSON can express", node)
        return found

    def moment(self, node: yaml.ScalarNode) -> str:
        """Return a date or time as it is written; refuse one that does not exist."""
        self.construct_yaml_timestamp(node)
        return str(node.value)

    def foreign(self, node: yaml.Node) -> None:
        """Refuse sets, pairs and bytes."""
        raise _parse_error(f"{node.tag.rpartition(':')[2]} cannot be expressed in JSON", node)

    def whole(self, node: yaml.ScalarNode) -> int:
        """Return a whole number of at most 64 bits."""
        try:
            found: int = self.construct_yaml_int(node)
        except ValueError:  # thousands of digits
            found = _MAX_INTEGER + 1
        if not _MIN_INTEGER <= found <= _MAX_INTEGER:
            raise _parse_error(f"{node.value[:40]} does not fit in 64 bits", node)
        return found


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.moment)
for _name in ("binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _Loader.foreign)
