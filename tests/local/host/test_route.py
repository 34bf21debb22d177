"""Route templates: what they match, in which order, and what is refused."""

import pytest

from local.host.function import AppFunction, FunctionBinding
from local.host.route import Routes
from local.host.setting import SettingError


def function(name: str, route: str | None = None, methods: list[str] | None = None) -> AppFunction:
    data = {"route": route, "methods": methods}
    return AppFunction(name, name, FunctionBinding("req", "httpTrigger", is_output=False, data=data), ())


def match(routes: Routes, path: str, method: str = "GET") -> tuple[str, dict[str, str]] | None:
    found = routes.match(method, path)
    return (found[0].name, dict(found[1])) if found else None


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("a/b", "/api/a/b", {}),
        ("a/b", "/api/A/B/", {}),
        ("a/b", "/api/a/b/c", None),
        ("a.b", "/api/axb", None),
        ("{x}", "/api/1", {"x": "1"}),
        ("{x}", "/api/", None),
        ("a/{x?}", "/api/a", {}),
        ("a/{x?}", "/api/a/1", {"x": "1"}),
        ("a/{x:int?}", "/api/a/b", None),
        ("{x:int}", "/api/-12", {"x": "-12"}),
        ("{x:int}", "/api/1.5", None),
        ("{x:double}", "/api/1.5", {"x": "1.5"}),
        ("{x:alpha}", "/api/a1", None),
        ("{x:bool}", "/api/True", {"x": "True"}),
        ("{x:guid}", "/api/8b0d3b0c-1f0e-4e8e-9f51-0e1d3c1f2a3b", {"x": "8b0d3b0c-1f0e-4e8e-9f51-0e1d3c1f2a3b"}),
        ("{x}-{y}.json", "/api/1-2.json", {"x": "1", "y": "2"}),
        ("{*rest}", "/api", {}),
        ("{*rest}", "/api/a/b", {"rest": "a/b"}),
        ("{**rest}", "/api/a/b/", {"rest": "a/b/"}),
        ("a/{*rest}", "/api/ab", None),
    ],
)
def test_a_template_matches_paths_and_gives_parameters(
    route: str, path: str, parameters: dict[str, str] | None
) -> None:
    found = match(Routes.of([function("f", route)], "api"), path)
    assert (found[1] if found else None) == parameters


def test_without_a_route_the_name_is_the_route() -> None:
    assert match(Routes.of([function("Hello")], "api"), "/api/hello") == ("Hello", {})


@pytest.mark.parametrize("path", ["/", "/a/b"])
def test_without_a_prefix_a_catch_all_takes_everything(path: str) -> None:
    assert match(Routes.of([function("web", "{*path}")], ""), path) is not None


def test_the_most_specific_template_wins_whatever_the_order() -> None:
    functions = [
        function("all", "{*path}"),
        function("named", "things/{name}"),
        function("numbered", "things/{id:int}"),
        function("new", "things/new"),
    ]
    for order in (functions, functions[::-1]):
        routes = Routes.of(order, "api")
        found = [match(routes, f"/api/{path}") for path in ("things/new", "things/7", "things/x", "x")]
        assert [each[0] for each in found if each] == ["new", "numbered", "named", "all"]


def test_the_method_decides_between_functions_of_one_route() -> None:
    routes = Routes.of([function("read", "x", ["GET"]), function("write", "x", ["PUT", "POST"])], "api")
    assert match(routes, "/api/x", "PUT") == ("write", {})
    assert match(routes, "/api/x", "DELETE") is None


def test_without_methods_all_are_taken() -> None:
    assert match(Routes.of([function("f", "x")], "api"), "/api/x", "DELETE") == ("f", {})


def test_other_kinds_have_no_route() -> None:
    timer = AppFunction("t", "t", FunctionBinding("t", "timerTrigger", is_output=False, data={}), ())
    assert match(Routes.of([timer], "api"), "/api/t") is None


def test_an_unknown_constraint_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="function f: route constraint 'roman' is not known"):
        Routes.of([function("f", "{x:roman}")], "api")
