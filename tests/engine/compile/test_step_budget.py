"""What looks at large values pays for it by the step, wherever it stands: hostile rules end in an error verdict."""

from typing import Any

import pytest

from shared.domain.resource import Resource, Unread
from shared.domain.verdict import State
from shared.engine import (
    AliasCatalog,
    EvaluationError,
    InvalidDefinition,
    apply_effects,
    compile_definition,
    compile_set,
    effect_details,
    evaluate_expression,
    expand_template,
    explain,
    judge,
)
from shared.engine.context import EVALUATION_STEPS
from shared.engine.judge.plan import GENERATION_RESOURCES
from shared.engine.language.comparison import operator_check
from shared.engine.value import RESULT_CHARACTERS, loosely_equal

STEPS = f"more than {EVALUATION_STEPS} steps"
LONG = "a" * RESULT_CHARACTERS
MANY = list(range(50_000))
KEYS = {str(each): each for each in MANY}
PROPERTIES = {"list": [1] * 50_000, "a": "a" * 1_000_000, "b": "é" * 1_000_000, "obj": KEYS}


def compiled(rule: Any, catalog: AliasCatalog, effect: str = "audit", details: Any = None) -> Any:
    then = {"effect": effect, **({"details": details} if details else {})}
    return compile_definition(
        {"name": "p", "properties": {"mode": "All", "policyRule": {"if": rule, "then": then}}}, aliases=catalog
    )


def counted(where: Any) -> Any:
    return {"count": {"field": "Test/list[*]", "where": where}, "greater": 1_000_000}


@pytest.mark.parametrize(
    "where",
    [
        {"field": "Test/a", "contains": "zz"},
        {"field": "Test/b", "like": "*z*z*"},
        {"field": "Test/list", "contains": "x"},
        {"field": "Test/list", "equals": [1] * 49_999},
        {"field": "Test/obj", "containsKey": "zz"},
        {"field": "Test/obj", "equals": {**KEYS, "1": 0}},
        {"value": "[field('Test/a')]", "contains": "x"},
        {"value": "[toLower(field('Test/b'))]", "equals": "x"},
        {"value": "[string(field('Test/obj'))]", "equals": "x"},
        {"anyOf": [{"field": "Test/list[*]", "equals": f"x{at}"} for at in range(1_000)]},
    ],
    ids=lambda where: str(where)[:60],
)
def test_what_is_read_again_for_every_member_takes_bounded_work(where: Any, catalog: AliasCatalog) -> None:
    policy = compiled(counted(where), catalog)
    body = {"name": "n", "type": "T.One/a", "properties": PROPERTIES}
    verdict = judge(policy, Resource(body))
    assert verdict.state is State.ERROR
    assert STEPS in verdict.reason
    policies = compile_set([policy])
    policies.count([{"name": "n", "type": "T.One/a"}] * GENERATION_RESOURCES)
    assert policies.count([body])[0][State.ERROR] == 1


@pytest.mark.parametrize("condition", [{"contains": "z"}, {"like": "*z*"}, {"match": "z" * 500}])
def test_many_conditions_on_one_long_text_take_bounded_work(condition: Any, catalog: AliasCatalog) -> None:
    policy = compiled({"anyOf": [{"field": "Test/a", **condition}] * 4_000}, catalog)
    assert judge(policy, Resource({"properties": {"a": "é" * 3_000_000}})).state is State.ERROR


def test_equality_does_not_look_at_more_than_its_right_side(catalog: AliasCatalog) -> None:
    policy = compiled({"field": "Test/a", "equals": "İ"}, catalog)
    assert judge(policy, Resource({"properties": {"a": "i̇"}})).state is State.NON_COMPLIANT
    assert judge(policy, Resource({"properties": {"a": "é" * 10_000_000}})).state is State.COMPLIANT


def test_no_text_grows_shorter_in_lower_case() -> None:
    letters = "".join(map(chr, range(0x110000)))
    assert all(len(letters[at : at + 64].lower()) >= 64 for at in range(0, len(letters), 64))


@pytest.mark.parametrize(
    "operand", ["[length(string(current('n7')))]", "[equals(current('n7'), current('n7'))]", "[current('n7')]"]
)
def test_values_that_share_parts_count_in_full(operand: str, catalog: AliasCatalog) -> None:
    rule: Any = {"value": operand, "equals": "[current('n7')]"}
    for at in reversed(range(8)):
        parts = ",".join([f"current('n{at - 1}')"] * 60)
        value = f"[createArray(createArray({parts}))]" if at else "[createArray('x')]"
        rule = {"count": {"value": value, "name": f"n{at}", "where": rule}, "equals": 1}
    verdict = judge(compiled(rule, catalog), Resource({"name": "a"}))
    assert verdict.state is State.ERROR
    assert STEPS in verdict.reason


def test_constants_are_computed_with_bounded_work(catalog: AliasCatalog) -> None:
    heavy = {"value": "[length(string(range(0, 10000)))]", "equals": 1}
    assert judge(compiled({"anyOf": [heavy] * 4_000}, catalog), Resource({"name": "a"})).state is State.ERROR


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("[replace(parameters('a'), 'a', parameters('a'))]", "the result has more"),
        ("[join(range(0, 10000), parameters('a'))]", "the result has more"),
        ("[format(parameters('holes'), parameters('a'))]", "the result has more"),
        ("[format(parameters('code'), 1)]", "unknown number format"),
        ("[json(parameters('quotes'))]", "not JSON"),
        ("[split(parameters('a'), parameters('marks'))]", "delimiters have more"),
        ("[uri('http://a/', parameters('a'))]", "address has more"),
        ("[dateTimeAdd('2024-01-01T00:00:00Z', 'P1D', parameters('a'))]", "date format has more"),
        ("[uniqueString(parameters('a'), 'b')]", "the result has more"),
        ("[uriComponentToString(concat(parameters('a'), ''))]", ""),
        ("[map(range(0, 10000), lambda('x', range(0, 10000)))]", "steps to compute"),
    ],
)
def test_functions_refuse_before_they_work(source: str, message: str) -> None:
    given = {
        "a": LONG,
        "holes": "{0}" * 40_000,
        "code": "{0:" + "x" * 100_000 + "'}",
        "quotes": "'" + '\\"' * 60_000,
        "marks": ["a" * 60_000 + "b", "c"],
    }
    if message:
        with pytest.raises(EvaluationError, match=message):
            evaluate_expression(source, parameters=given)
    else:
        assert evaluate_expression(source, parameters=given) == LONG


def test_what_is_left_open_is_no_json() -> None:
    assert evaluate_expression("[json('''a\"b''')]") == 'a"b'
    for text in ("'a", '"a', "'a\\", "{'a': 'b}"):
        with pytest.raises(EvaluationError, match="not JSON"):
            evaluate_expression("[json(parameters('p'))]", parameters={"p": text})


@pytest.mark.parametrize("written", ["1_0", "1\u0662"])
def test_a_number_is_written_as_json_writes_it(written: str, catalog: AliasCatalog) -> None:
    assert not loosely_equal(written, 10)
    assert not loosely_equal(written, 12)
    with pytest.raises(EvaluationError, match="is no number"):
        evaluate_expression("[int(parameters('p'))]", parameters={"p": written})
    assert (
        judge(compiled({"field": "name", "equals": 10}, catalog), Resource({"name": written})).state is State.COMPLIANT
    )


MEMBERS = [
    None,
    "",
    "a",
    "A",
    "1",
    "1.0",
    "true",
    True,
    False,
    0,
    1,
    1.0,
    2,
    [1],
    ["1"],
    ["A"],
    {"K": "1"},
    {"k": 1},
    [None],
    [""],
]


def test_a_list_holds_what_equals_one_of_its_members() -> None:
    for at in range(len(MEMBERS)):
        listed = MEMBERS[at:] + MEMBERS[: at // 2]
        for value in MEMBERS:
            assert operator_check("in", listed)(value) is any(loosely_equal(value, each) for each in listed), (
                value,
                listed,
            )


def test_long_lists_are_compared_in_one_pass(catalog: AliasCatalog) -> None:
    objects = [{"a": at} for at in range(20_000)]
    declared = {"p": {"type": "Array", "allowedValues": objects}}
    rule = {"if": {"field": "name", "in": "[parameters('p')]"}, "then": {"effect": "audit"}}
    source = {"properties": {"parameters": declared, "policyRule": rule}}
    policy = compile_definition(source, aliases=catalog, parameters={"p": objects[::-1]})
    assert judge(policy, Resource({"name": "a"})).state is State.COMPLIANT


def test_many_changes_make_a_fix_in_one_pass(catalog: AliasCatalog) -> None:
    rule = {"count": {"field": "Test/list[*]", "where": {"field": "Test/list[*]", "equals": 1}}, "greater": 0}
    found = explain(compiled(rule, catalog), Resource({"properties": {"list": [1] * 20_000}}))
    assert len(found.fixes) == 20_000


def test_many_operations_change_a_large_body(catalog: AliasCatalog) -> None:
    operations = [{"operation": "add", "field": f"tags.x{at}", "value": "v"} for at in range(2_000)]
    policy = compiled(
        {"field": "name", "exists": True}, catalog, "modify", {"roleDefinitionIds": ["r"], "operations": operations}
    )
    body = {"name": "n", "properties": {"list": list(map(str, range(50_000)))}}
    assert len(apply_effects(body, effect_details(policy, Resource(body)))["tags"]) == 2_000
    assert "tags" not in body


def test_related_resources_share_one_count_of_steps(catalog: AliasCatalog) -> None:
    inner = {"value": "[concat('a', string(current('a')))]", "equals": "x"}
    existence = {"count": {"value": "[range(0, 10000)]", "name": "a", "where": inner}, "greater": 0}
    policy = compiled(
        {"field": "name", "exists": True}, catalog, "auditIfNotExists", {"type": "X/y", "existenceCondition": existence}
    )
    related = tuple(Resource({"name": str(at), "type": "X/y"}) for at in range(100))
    verdict = judge(policy, Resource({"name": "n", "type": "T.One/a"}, related={"x/y": related}))
    assert (verdict.state, STEPS in verdict.reason) == (State.ERROR, True)


def test_dependencies_on_a_loop_are_looked_at_once() -> None:
    loops = [
        {
            "type": "X/y",
            "apiVersion": "1",
            "name": f"[concat('{name}', copyIndex())]",
            "copy": {"name": name, "count": 300},
        }
        for name in ("b", "a")
    ]
    assert len(expand_template({"resources": [{**loops[0], "dependsOn": ["a"] * 500}, loops[1]]})) == 600


def test_members_that_differ_in_case_only_are_two_in_generated_code(catalog: AliasCatalog) -> None:
    policies = [compiled({"field": f"tags.{name}", "equals": "x"}, catalog) for name in ("Env", "env")]
    body = {"type": "T.One/a", "tags": {"Env": "x", "env": "y"}}
    found = compile_set(policies).count([body] * 100)
    assert [each.get(State.NON_COMPLIANT, 0) for each in found] == [100, 0]


@pytest.mark.parametrize("steps", [300, 3_000])
def test_long_paths_are_judged_without_generated_code(steps: int, catalog: AliasCatalog) -> None:
    policy = compiled({"field": "identity" + ".a" * steps, "exists": False}, catalog)
    assert compile_set([policy]).count([{"type": "T.One/a"}] * 60) == [{State.NON_COMPLIANT: 60}]


def deep(levels: int) -> Any:
    found: Any = "x"
    for _ in range(levels):
        found = [found]
    return found


def test_depth_is_reported(catalog: AliasCatalog) -> None:
    body = {"name": "n", "type": "T.One/a", "properties": {"a": deep(5_000), "b": 1}}
    rule = {"allOf": [{"field": "Test/b", "equals": 1}, {"not": {"field": "Test/a", "equals": ["x"]}}]}
    assert (
        explain(compiled({"field": "Test/b", "equals": 1}, catalog), Resource(body)).verdict.state
        is State.NON_COMPLIANT
    )
    assert explain(compiled(rule, catalog), Resource(body)).verdict.state in State
    with pytest.raises(InvalidDefinition, match="expected an object"):
        compile_definition({"properties": {"policyRule": deep(5_000)}}, aliases=catalog)
    declared = {"p": {"type": "Array", "allowedValues": [[[]]]}}
    source = {"properties": {"parameters": declared, "policyRule": {"if": rule, "then": {"effect": "audit"}}}}
    with pytest.raises(InvalidDefinition, match="too deeply"):
        compile_definition(source, aliases=catalog, parameters={"p": deep(5_000)})


def test_marks_are_set_to_a_depth(catalog: AliasCatalog) -> None:
    unread = {"properties" + ".a" * 5_000: Unread("forbidden")}
    policy = compiled({"field": "name", "equals": "n"}, catalog)
    assert judge(policy, Resource({"name": "n"}, unread=unread)).state is State.NON_COMPLIANT


def test_metadata_is_an_object(catalog: AliasCatalog) -> None:
    rule = {"if": {"field": "name", "exists": True}, "then": {"effect": "audit"}}
    with pytest.raises(InvalidDefinition, match=r"\$\.metadata: expected an object"):
        compile_definition({"properties": {"metadata": [1], "policyRule": rule}}, aliases=catalog)
