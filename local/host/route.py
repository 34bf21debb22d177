"""Route templates: which function serves a path, and with which parameters."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from local.host.function import AppFunction
from local.host.setting import SettingError, resolve_names

_PARAMETER = re.compile(r"\{(?P<all>\*{0,2})(?P<name>\w+)(?::(?P<constraint>\w+))?(?P<optional>\?)?\}")
_CONSTRAINTS = {
    None: "[^/]+",
    "alpha": "[A-Za-z]+",
    "bool": "true|false",
    "datetime": "[^/]+",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?",
    "float": r"-?\d+(?:\.\d+)?",
    "guid": "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "int": r"-?\d+",
    "long": r"-?\d+",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One function's template, compiled. `rank` sorts literals before parameters before catch-alls."""

    function: AppFunction
    pattern: re.Pattern[str]
    methods: frozenset[str]
    rank: Sequence[int]


class Routes:
    """All routes of an app, the most specific first. Source: ASP.NET Core, "Route template reference"."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = sorted(routes, key=lambda route: (route.rank, route.function.name))

    @classmethod
    def of(cls, functions: Iterable[AppFunction], prefix: str) -> Self:
        """Return the routes of the HTTP functions under `prefix`; SettingError for a template that cannot be read."""
        return cls(_route(each, prefix) for each in functions if each.kind == "http")

    def match(self, method: str, path: str) -> tuple[AppFunction, Mapping[str, str]] | None:
        """Find the function for a request, and its route parameters; None when there is none."""
        for route in self._routes:
            if (found := route.pattern.fullmatch(path)) and (not route.methods or method in route.methods):
                return route.function, {name: value for name, value in found.groupdict().items() if value is not None}
        return None

    def methods(self, path: str) -> list[str]:
        """Return the methods that are allowed at a path, sorted; none when no route matches."""
        return sorted({method for route in self._routes if route.pattern.fullmatch(path) for method in route.methods})


def _route(function: AppFunction, prefix: str) -> Route:
    data = function.trigger.data
    own = data.get("route")
    template = resolve_names(function.name if own is None else own).strip("/")
    segments = [each for each in [*prefix.strip("/").split("/"), *template.split("/")] if each]
    pattern = "".join(_segment(each, function) for each in segments) + "/?"
    methods = frozenset(str(each).upper() for each in data.get("methods") or ())
    return Route(function, re.compile(pattern, re.IGNORECASE), methods, [_rank(each) for each in segments])


def _segment(text: str, function: AppFunction) -> str:
    parts: list[str] = []
    at = 0
    optional = False
    for found in _PARAMETER.finditer(text):
        allowed = ".*" if found["all"] else _CONSTRAINTS.get(found["constraint"])
        if allowed is None:
            raise SettingError(f"function {function.name}: route constraint '{found['constraint']}' is not known")
        parts += [re.escape(text[at : found.start()]), f"(?P<{found['name']}>{allowed})"]
        # An optional parameter takes the slash before it along.
        optional = optional or bool(found["optional"] or found["all"])
        at = found.end()
    inside = "".join([*parts, re.escape(text[at:])])
    return f"(?:/{inside})?" if optional else f"/{inside}"


def _rank(segment: str) -> int:
    found = _PARAMETER.search(segment)
    if found is None:
        return 0
    if found["all"]:
        return 3
    return 1 if found["constraint"] else 2
