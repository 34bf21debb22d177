"""Operands: what is computed once, what each evaluation costs, and how failures are reported."""

from types import MappingProxyType
from typing import Any

import pytest

from shared.domain.resource import Resource
from shared.engine import AliasCatalog, Context, EvaluationError
from shared.engine.compile.evaluate import CompiledOperand, access_member, compile_operand, lookup_by_name
from shared.engine.compile.scope import CompileScope
from shared.engine.context import EVALUATION_STEPS, Frame
from shared.engine.language.expression import FunctionCall, Literal
from shared.engine.language.operand import parse_operand
from shared.engine.unknown import Partial, Unknown

GAP = Unknown("p", "forbidden")
PARAMETERS = {"one": 1, "none": None, "list": [1, 2]}


def operand(source: Any, scope: CompileScope | None = None) -> CompiledOperand:
    return compile_operand(parse_operand(source, "$"), scope or CompileScope(AliasCatalog({}), PARAMETERS))


def frame(context: Context | None = None, **body: Any) -> Frame:
    return Frame(Resource(body), context or Context())


def read(source: Any, at: Frame, scope: CompileScope | None = None) -> Any:
    return operand(source, scope).read(at.body, at)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("text", "text"),
        ("[add(1, 2)]", 3),
        ("[parameters('One')]", 1),
        ("[parameters('none')]", None),
        ("[parameters(concat('o', 'ne'))]", 1),
        ("[parameters('list')[1]]", 2),
        (["[add(1, 2)]", "a"], [3, "a"]),
        ({"a": "[add(1, 2)]", "b": 1}, {"a": 3, "b": 1}),
        ("[if(true(), 'a', 'b')]", "a"),
        ("[if(false(), 'a', 'b')]", "b"),
    ],
)
def test_what_no_resource_changes_is_computed_once(source: Any, value: Any) -> None:
    found = operand(source)
    assert (found.fixed, found.value) == (True, value)
    assert found.read({}, frame()) == value


@pytest.mark.parametrize(
    "source", ["[field('name')]", ["[field('name')]"], {"a": "[field('name')]"}, "[concat(field('name'))]"]
)
def test_what_a_resource_decides_is_not(source: Any) -> None:
    assert (operand(source).fixed, operand(source).value) == (False, None)


def test_what_fails_without_a_resource_fails_when_it_is_evaluated() -> None:
    found = operand("[div(1, 0)]")
    assert not found.fixed
    with pytest.raises(EvaluationError, match="division by zero"):
        found.read({}, frame())


def test_only_the_chosen_value_is_computed() -> None:
    at = frame(name="n")
    assert read("[if(equals(field('name'), 'n'), 1, div(1, 0))]", at) == 1
    assert read("[if(equals(field('name'), 'm'), div(1, 0), 2)]", at) == 2
    with pytest.raises(EvaluationError, match="expected a boolean, found string n"):
        read("[if(field('name'), 1, 2)]", at)


@pytest.mark.parametrize(
    ("source", "steps"),
    [
        ("[field('name')]", 0),
        ("[toLower(field('name'))]", 1),
        ("[toUpper(toLower(field('name')))]", 2),
        ("[length(field('zones'))]", 4),
        ("[first(field('zones'))]", 4),
        ("[toLower('A')]", 0),
    ],
)
def test_functions_spend_steps_for_themselves_and_for_members(source: str, steps: int) -> None:
    at = frame(name="n", zones=["1", "2", "3"])
    read(source, at)
    assert EVALUATION_STEPS - at.steps == steps


def test_steps_come_to_an_end() -> None:
    at = frame(name="n")
    at.steps = 1
    assert read("[toLower(field('name'))]", at) == "n"
    with pytest.raises(EvaluationError, match="the evaluation takes more than 250000 steps"):
        read("[toLower(field('name'))]", at)


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        ([1, 2], 0, 1),
        ([1, 2], 1, 2),
        ({"A": 1}, "a", 1),
        ({"a": 1}, "b", None),
        (None, "a", None),
        (MappingProxyType({"A": 1}), "a", 1),
        (MappingProxyType({}), "a", None),
        (Partial({"a": 1}, GAP), "a", 1),
        (Partial({"a": 1}, GAP), "b", GAP),
    ],
)
def test_members_are_reached(base: Any, key: Any, value: Any) -> None:
    assert access_member(base, key) == value


@pytest.mark.parametrize(
    ("base", "key", "message"),
    [
        ([1], "a", "an array has no property 'a'"),
        ([1], True, "an array has no property True"),
        ([1], 1, "index 1 is outside an array of 1"),
        ([1], -1, "index -1 is outside an array of 1"),
        ("text", "a", "a string has no member 'a'"),
        (1, 0, "a number has no member 0"),
        ({"a": 1}, 0, "expected a string, found number 0"),
    ],
)
def test_members_that_cannot_be_reached_are_named(base: Any, key: Any, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        access_member(base, key)
    assert str(failed.value) == message


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[parameters('missing')]", "the parameter 'missing' has no value"),
        (f"[parameters('{'x' * 70}')]", f"the parameter '{'x' * 60}' has no value"),
        ("[parameters(field('name'))]", "the parameter 'n' has no value"),
        ("[parameters(1)]", "expected a string, found number 1"),
        ("[utcNow()]", "utcNow(): the context has no time"),
        ("[utcNow('yyyy')]", "utcNow(): the context has no time"),
        ("[field('name').a]", "access(): a string has no member 'a'"),
    ],
)
def test_failures_name_what_is_missing(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as failed:
        read(source, frame(name="n"))
    assert str(failed.value) == message


def test_the_member_of_a_count_is_known_inside_counts_only() -> None:
    with pytest.raises(EvaluationError) as failed:
        operand("[current()]")
    assert str(failed.value) == "current() stands outside a count"
    inside = CompileScope(AliasCatalog({}), {}).bind("outer", None).bind("Inner", None)
    at = frame(name="outer")
    at.slots[:2] = ["o", "i"]
    sources = ("[current()]", "[current('INNER')]", "[current('outer')]", "[current(field('name'))]")
    assert [read(each, at, inside) for each in sources] == ["i", "i", "o", "o"]
    for source, name in (("[current('name')]", "name"), ("[current('tags.a')]", "tags.a")):
        with pytest.raises(EvaluationError) as failed:
            read(source, at, inside)
        assert str(failed.value) == f"current({name!r}) names no count around it"


def test_a_function_that_does_not_exist_is_named() -> None:
    with pytest.raises(EvaluationError) as failed:
        compile_operand(FunctionCall("nothing", (Literal(1),)), CompileScope(AliasCatalog({}), {}))
    assert str(failed.value) == "unknown function 'nothing'"


def test_names_are_looked_up_once_for_each_type_and_a_bounded_number_is_kept() -> None:
    asked: list[tuple[str, str | None, str | None]] = []

    def find(name: str, scope: CompileScope) -> str:
        asked.append((name, scope.type, scope.api_version))
        return name

    lookup = lookup_by_name(CompileScope(AliasCatalog({}), {}), find)
    one, two = (Frame(Resource({"type": name}, api_version="v1"), Context()) for name in ("T/a", "T/b"))
    assert [lookup("x", one), lookup("x", one), lookup("x", two)] == ["x"] * 3
    assert asked == [("x", "t/a", "v1"), ("x", "t/b", "v1")]
    for at in range(254):
        lookup(str(at), one)
    lookup("x", one)
    assert len(asked) == 256
    lookup("one more", one)
    lookup("x", one)
    assert asked[-2:] == [("one more", "t/a", "v1"), ("x", "t/a", "v1")]
