"""Policy rules in the languages of other engines: CEL, Rego, JMESPath, SQL over JSON, and Cloud Custodian's filters.

Translates allOf, anyOf, not, field (equals, notEquals, in, exists, contains, like with a star at its end, greater) and
count; fields are property paths. Each translation means what the rule means where values have the expected type.
"""

import json
from collections.abc import Callable
from typing import Any

Rule = Any
_OPERATORS = ("equals", "notEquals", "in", "exists", "contains", "like", "greater")
_SYMBOLS = {"equals": "==", "notEquals": "!=", "greater": ">"}


def leaf(rule: Rule) -> tuple[str, str, Any]:
    """Return the path, the operator and the right side of a condition on a field."""
    operator = next(each for each in _OPERATORS if each in rule)
    return rule["field"], operator, rule[operator]


def counted(rule: Rule) -> tuple[str, Rule, int]:
    """Return the array, the `where` and the number of a condition that a count is greater than."""
    count = rule["count"]
    return count["field"].removesuffix("[*]"), inside(count["where"], f"{count['field']}."), rule["greater"]


def inside(rule: Rule, prefix: str) -> Rule:
    """Return a `where` with fields relative to the member."""
    if isinstance(rule, list):
        return [inside(each, prefix) for each in rule]
    if not isinstance(rule, dict):
        return rule
    return {
        key: value.removeprefix(prefix) if key == "field" else inside(value, prefix) if key in _GROUPS else value
        for key, value in rule.items()
    }


_GROUPS = ("allOf", "anyOf", "not")


def joined(rule: Rule, both: str, either: str, translate: Callable[[Rule], str]) -> str | None:
    """Return the parts of allOf or anyOf between the words for and and or; None for other conditions."""
    for key, word in (("allOf", both), ("anyOf", either)):
        if key in rule:
            return "(" + f" {word} ".join(map(translate, rule[key])) + ")"
    return None


def cel(rule: Rule, base: str = "r") -> str:
    """Return a CEL expression on the variable `base`."""
    group = joined(rule, "&&", "||", lambda each: cel(each, base))
    if group:
        return group
    if "not" in rule:
        return f"!({cel(rule['not'], base)})"
    if "count" in rule:
        array, where, number = counted(rule)
        return f"(has({base}.{array}) && size({base}.{array}.filter(m, {cel(where, 'm')})) > {number})"
    return _cel_leaf(f"{base}.{rule['field']}", *leaf(rule)[1:])


def _cel_leaf(path: str, operator: str, right: Any) -> str:  # noqa: ANN401 - any JSON
    tests = {
        "exists": f"has({path})",
        "in": f"(has({path}) && {path} in {json.dumps(right)})",
        "notEquals": f"!(has({path}) && {path} == {json.dumps(right)})",
        "contains": f"(has({path}) && {path}.contains({json.dumps(right)}))",
        "like": f"(has({path}) && {path}.startsWith({json.dumps(str(right).rstrip('*'))}))",
    }
    if operator == "exists" and right is False:
        return f"!has({path})"
    return tests.get(operator) or f"(has({path}) && {path} {_SYMBOLS[operator]} {json.dumps(right)})"


def jmespath(rule: Rule) -> str:
    """Return a JMESPath expression that is true of a violation."""
    group = joined(rule, "&&", "||", jmespath)
    if group:
        return group
    if "not" in rule:
        return f"!({jmespath(rule['not'])})"
    if "count" in rule:
        array, where, number = counted(rule)
        return f"(length({array}[?{jmespath(where)}] || `[]`) > `{number}`)"
    path, operator, right = leaf(rule)
    literal = f"`{json.dumps(right)}`"
    tests = {
        "exists": f"({path} {'!=' if right else '=='} `null`)",
        "in": f"contains({literal}, {path})",
        "contains": f"({path} != `null` && contains({path}, {literal}))",
        "like": f"({path} != `null` && starts_with({path}, `{json.dumps(str(right).rstrip('*'))}`))",
    }
    return tests.get(operator) or f"({path} {_SYMBOLS[operator]} {literal})"


def sql(rule: Rule, base: str = "d") -> str:
    """Return a DuckDB condition on the JSON column `base`; never null."""
    group = joined(rule, "AND", "OR", lambda each: sql(each, base))
    if group:
        return group
    if "not" in rule:
        return f"(NOT {sql(rule['not'], base)})"
    if "count" in rule:
        array, where, number = counted(rule)
        return f"(len(list_filter(json_extract({base}, '$.{array}[*]'), lambda m : {sql(where, 'm')})) > {number})"
    path, operator, right = leaf(rule)
    value = f"json_extract_string({base}, '$.{path}')"
    tests = {
        "exists": f"({value} IS {'NOT ' if right else ''}NULL)",
        "in": f"coalesce({value} IN ({', '.join(map(_quoted, right if isinstance(right, list) else ()))}), false)",
        "contains": f"coalesce(contains({value}, {_quoted(right)}), false)",
        "like": f"coalesce(starts_with({value}, {_quoted(str(right).rstrip('*'))}), false)",
        "greater": f"coalesce(TRY_CAST({value} AS DOUBLE) > {right}, false)",
        "equals": f"coalesce({value} = {_quoted(right)}, false)",
        "notEquals": f"coalesce({value} <> {_quoted(right)}, true)",
    }
    return tests[operator]


def _quoted(value: Any) -> str:  # noqa: ANN401 - any JSON
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("'", "''") + "'"


def rego(rules: list[tuple[str, Rule]]) -> str:
    """Return a Rego module: one function per node, and the set `violations` of names of rules."""
    lines = ["package peers", "import rego.v1"]
    lines += [f'violations contains "{name}" if {{ {_rego(rule, lines)}(input) }}' for name, rule in rules]
    return "\n".join(lines)


def _rego(rule: Rule, lines: list[str]) -> str:
    """Add the functions of a node to `lines`. Return the name of its own."""
    if "allOf" in rule:
        bodies = ["; ".join(f"{_rego(each, lines)}(x)" for each in rule["allOf"])]
    elif "anyOf" in rule:
        bodies = [f"{_rego(each, lines)}(x)" for each in rule["anyOf"]]
    elif "not" in rule:
        bodies = [f"not {_rego(rule['not'], lines)}(x)"]
    elif "count" in rule:
        array, where, number = counted(rule)
        bodies = [f"count([1 | some m in x.{array}; {_rego(where, lines)}(m)]) > {number}"]
    else:
        bodies = [_rego_leaf(*leaf(rule))]
    name = f"f{len(lines)}"
    lines += [f"{name}(x) if {{ {body} }}" for body in bodies]
    return name


def _rego_leaf(path: str, operator: str, right: Any) -> str:  # noqa: ANN401 - any JSON
    value = f"x.{path}"
    tests = {
        "exists": f"_ = {value}" if right else f"not {value}",
        "in": f"{value} in {json.dumps(right)}",
        "notEquals": f"not {value} == {json.dumps(right)}",
        "contains": f"contains({value}, {json.dumps(right)})",
        "like": f"startswith({value}, {json.dumps(str(right).rstrip('*'))})",
    }
    return tests.get(operator) or f"{value} {_SYMBOLS[operator]} {json.dumps(right)}"


_CUSTODIAN = {"equals": "eq", "notEquals": "ne", "in": "in", "contains": "contains", "like": "glob", "greater": "gt"}


def custodian(rule: Rule) -> Rule:
    """Return a filter of Cloud Custodian."""
    for key, word in (("allOf", "and"), ("anyOf", "or")):
        if key in rule:
            return {word: [custodian(each) for each in rule[key]]}
    if "not" in rule:
        return {"not": [custodian(rule["not"])]}
    if "count" in rule:
        array, where, number = counted(rule)
        return {"type": "list-item", "key": array, "attrs": [custodian(where)], "count": number, "count_op": "gt"}
    path, operator, right = leaf(rule)
    if operator == "exists":
        return {"type": "value", "key": path, "value": "not-null" if right else "absent"}
    return {"type": "value", "key": path, "op": _CUSTODIAN[operator], "value": right}
