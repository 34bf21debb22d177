"""YAML is read as strictly as JSON."""

import pytest

from cli import yaml_text
from shared.domain.error import InvalidInput


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: {b: 1, c: 2, b: 3}", "'b' occurs twice in one mapping"),
        ("a: 1\n'a': 2", "line 2, column 1"),
        (f"a: {'1' * 5_000}", "does not fit in 64 bits"),
        ("a: 18446744073709551616", "does not fit in 64 bits"),
        ("a: 0x10000000000000000", "does not fit in 64 bits"),
        ("a: [.nan]", "line 1, column 5"),
        ("a: -.inf", "not a number that JSON can express"),
        ("a: 1.0e+999", "not a number that JSON can express"),
        ('a: "\\ud800"', "invalid Unicode character"),
        ('"\\udc00": 1', "invalid Unicode character"),
        ("a: 2024-13-45", "not YAML: month"),
        ("a: [", "not YAML"),
        ("a: 1\n--- \nb: 2", "not YAML"),
        ("!!python/object:os.system x", "not YAML"),
        ("[" * 20_000, "YAML"),
        ("a: !!set {b, c}", "set cannot be expressed in JSON"),
        ("a: !!binary aGk=", "binary cannot be expressed in JSON"),
        ("&a [*a]", "more than 1,000,000 values"),
        (
            "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"b{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 9)),
            "more than 1,000,000 values",
        ),
    ],
    ids=lambda text: text[:16],
)
def test_what_json_cannot_express_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        yaml_text.read(text)
    assert reason in refused.value.message
    refused.value.message.encode()


def test_the_rest_is_taken() -> None:
    text = """
    deep: {deeper: {base: &base {<<: &more {x: 1, y: 2}, y: 3}}}
    again: {<<: *base, y: 4}
    third: {<<: [*more], x: 5}
    numbers: [18446744073709551615, -9223372036854775808, 1.5]
    null: ~
    1: 2024-01-31
    """
    assert yaml_text.read(text) == {
        "deep": {"deeper": {"base": {"x": 1, "y": 3}}},
        "again": {"x": 1, "y": 4},
        "third": {"x": 5, "y": 2},
        "numbers": [2**64 - 1, -(2**63), 1.5],
        "null": None,
        "1": "2024-01-31",
    }
