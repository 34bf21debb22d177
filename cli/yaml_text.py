"""YAML text read as strictly as JSON is: a key once in a mapping, numbers that JSON can say."""

from math import isinf, isnan
from typing import Any

import yaml

from shared.domain.error import InvalidInput
from shared.engine.value import weight

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"
_MOST_VALUES = 1_000_000
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def read(text: str) -> Any:  # noqa: ANN401 - any YAML
    """The value of a YAML text with one document; InvalidInput says what cannot be used, by line and column."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: a date that no calendar has
        raise InvalidInput(f"not YAML: {error}") from None
    except RecursionError:
        raise InvalidInput("the YAML nests too deeply") from None
    if weight(found, _MOST_VALUES) > _MOST_VALUES:  # anchors make much of little, and a circle has no end
        raise InvalidInput(f"the YAML comes to more than {_MOST_VALUES:,} values")
    return found


def _refusal(reason: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, node.start_mark)


class _Loader(_LOADER):  # type: ignore[misc]
    """A safe loader, the fast one where there is one, that refuses what JSON has no word for."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._known: dict[int, yaml.Node] = {}

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called before a mapping is made, perhaps again when another one takes its members over."""
        if id(node) not in self._known:
            self._known[id(node)] = node
            seen: set[str] = set()
            for key, _ in node.value:
                if key.tag != _MERGE and isinstance(key, yaml.ScalarNode):
                    key.tag = _TEXT  # as JSON has it, also where it looks like a number, a date or null
                    if key.value in seen:
                        raise _refusal(f"the key {key.value[:60]!r} occurs twice in one mapping", key)
                    seen.add(key.value)
        super().flatten_mapping(node)

    def number(self, node: yaml.ScalarNode) -> float:
        """A finite double."""
        found: float = self.construct_yaml_float(node)
        if isnan(found) or isinf(found):
            raise _refusal(f"{node.value[:40]} is not a number that JSON can say", node)
        return found

    def moment(self, node: yaml.ScalarNode) -> str:
        """A date or time as it is written; one that no calendar has is refused."""
        self.construct_yaml_timestamp(node)
        return str(node.value)

    def foreign(self, node: yaml.Node) -> None:
        """Sets, pairs and bytes."""
        raise _refusal(f"{node.tag.rpartition(':')[2]} is nothing that JSON can say", node)

    def whole(self, node: yaml.ScalarNode) -> int:
        """A whole number of at most 64 bits."""
        try:
            found: int = self.construct_yaml_int(node)
        except ValueError:  # thousands of digits
            found = _MOST + 1
        if not _LEAST <= found <= _MOST:
            raise _refusal(f"{node.value[:40]} does not fit in 64 bits", node)
        return found


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.moment)
for _name in ("binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _Loader.foreign)
