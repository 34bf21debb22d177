"""Functions of templates that take lambdas."""

from typing import Any

import pytest

from shared.engine import EvaluationError, NotSupported, evaluate_expression

DOGS = [
    {"name": "Evie", "age": 5},
    {"name": "Casper", "age": 3},
    {"name": "Indy", "age": 2},
    {"name": "Kira", "age": 8},
]


def computed(expression: str) -> Any:
    return evaluate_expression(f"[{expression}]", parameters={"dogs": DOGS, "ages": {"Evie": 5, "Indy": 2}})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("map(parameters('dogs'), lambda('d', lambdaVariables('d').name))", ["Evie", "Casper", "Indy", "Kira"]),
        ("map(createArray(5, 6), lambda('e', 'at', mul(lambdaVariables('E'), lambdaVariables('at'))))", [0, 6]),
        (
            "map(createArray(1, 2), lambda('a', map(createArray('x'), lambda('b', lambdaVariables('a')))))",
            [[1], [2]],
        ),
        ("filter(parameters('dogs'), lambda('d', greaterOrEquals(lambdaVariables('d').age, 5)))", [DOGS[0], DOGS[3]]),
        ("filter(createArray('a', 'b'), lambda('e', 'at', equals(lambdaVariables('at'), 1)))", ["b"]),
        ("reduce(createArray(5, 3, 2), 1, lambda('sum', 'n', add(lambdaVariables('sum'), lambdaVariables('n'))))", 11),
        ("reduce(createArray(), 1, lambda('sum', 'n', 2))", 1),
        (
            "sort(parameters('dogs'), lambda('a', 'b', less(lambdaVariables('a').age, lambdaVariables('b').age)))",
            [DOGS[2], DOGS[1], DOGS[0], DOGS[3]],
        ),
        ("toObject(take(parameters('dogs'), 1), lambda('d', lambdaVariables('d').name))", {"Evie": DOGS[0]}),
        (
            "toObject(createArray('ab', 'c'), lambda('s', lambdaVariables('s')), lambda('s', 1))",
            {"ab": 1, "c": 1},
        ),
        ("mapValues(parameters('ages'), lambda('n', add(lambdaVariables('n'), 1)))", {"Evie": 6, "Indy": 3}),
        ("groupBy(createArray('ab', 'b'), lambda('s', first(lambdaVariables('s'))))", {"a": ["ab"], "b": ["b"]}),
    ],
)  # fmt: skip
def test_lambdas_are_applied(expression: str, value: Any) -> None:
    assert computed(expression) == value


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("map(createArray(1), 2)", "expected a lambda, found a number"),
        ("map('a', lambda('d', 1))", "expected an array"),
        ("filter(createArray(1), lambda('d', 1))", "expected a boolean"),
        ("map(createArray(1), lambda('a', 'b', 'c', 1))", "the lambda names 3 arguments, there are 2"),
        ("map(createArray(1), lambda('a', lambdaVariables('b')))", "no lambda around it has an argument 'b'"),
        ("map(createArray(1), lambda(1))", "the names of its arguments"),
        ("map(createArray(1), lambda(concat('a'), 1))", "the names of its arguments"),
        ("lambda('a', 1)", "a lambda is no value"),
        ("concat(lambda('a', 1), 'b')", r"concat\(\)"),
        ("mapValues(createArray(), lambda('a', 1))", "expected an object, found a array|expected an object"),
        ("toObject(createArray(1), lambda('a', 1))", "expected a string"),
    ],
)
def test_wrong_arguments_are_refused(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        computed(expression)


def test_the_result_of_a_lambda_may_be_unknown() -> None:
    assert computed("length(map(createArray(1, 2), lambda('a', 1)))") == 2
    for expression in (
        "filter(createArray(1), lambda('a', reference('x').on))",
        "sort(createArray(1, 2), lambda('a', 'b', reference('x').on))",
        "toObject(createArray(1), lambda('a', reference('x').on))",
        "groupBy(createArray(1), lambda('a', reference('x').on))",
        "map(createArray(1), lambda('a', reference('x').on))[0]",
        "reduce(createArray(1), 0, lambda('a', 'b', reference('x').on))",
    ):
        with pytest.raises(NotSupported, match=r"known after deployment: reference\('x'\).on"):
            computed(expression)
