"""Random and mutated definitions, expressions and resources for the policy engine, each from a seed."""

import copy
from random import Random
from typing import Any

from shared.engine import AliasCatalog
from shared.engine.functions import FUNCTIONS
from shared.engine.language.comparison import OPERATORS

Json = Any
_NAMES = ("a", "list[*]", "list[*].port", "list[*].tags[*]", "nest.deep", "list")
CATALOG = AliasCatalog.from_rows(
    {"name": f"Test.One/things/{name}", "path": f"properties.{name}", "types": ["Test.One/things"]} for name in _NAMES
)
FIELDS = ("type", "name", "kind", "location", "id", "tags", "tags.env", "tags['a b']", "identity.type", "fullName")
WORDS = (
    *FIELDS,
    *(f"Test.One/things/{name}" for name in _NAMES),
    *OPERATORS,
    *("allOf", "anyOf", "not", "field", "value", "count", "where", "name", "if", "then", "effect", "details", "mode"),
    *("audit", "deny", "modify", "append", "auditIfNotExists", "manual", "operations", "existenceCondition", "add"),
    *(
        "",
        "a*",
        "*",
        "##-??",
        "[",
        "[[x]",
        "[]",
        "]",
        "\x00",
        "é",
        "ẞ",
        "\ud800",
        "\U0001d7d9",
        "2024-01-01",
        "1.2.3",
        "10.0.0.0/8",
    ),
    *("true", "-1", "1e999", "NaN", "%", "{0}", "{0:X}", "P1D", "\\", "x" * 500),
)
NUMBERS = (0, 1, -1, 2, 64, 1.5, -0.0, 2**31, 2**63, 10**40, 1e308, float("inf"))
PIECES = (
    *(f"{name}(" for name in FUNCTIONS),
    *("field(", "parameters(", "current(", "resourceGroup()", "subscription()", "requestContext().apiVersion", "("),
    *(
        "policy()",
        "utcNow()",
        ")",
        ")",
        ")",
        ",",
        ",",
        ".",
        "[",
        "]",
        "'",
        "''",
        "'a'",
        "'b,c'",
        "1",
        "-2",
        "1.5",
        " ",
        "é",
    ),
    *("'2024-01-01T00:00:00Z'", "'Test.One/things/list[*]'", "'PT1H'", "'{0}'", "'10.0.0.0/8'", "null()", "true()"),
)
EXPRESSIONS = (
    "[concat('a', parameters('p'), field('name'))]",
    "[if(equals(length(field('Test.One/things/list[*]')), 2), 'a', createArray('b', 1))]",
    "[substring(replace(toUpper('abc'), 'B', 'xyz'), 1, 2)]",
    "[split(string(add(mul(3, 4), mod(7, 2))), ',')[0]]",
    "[addDays('2024-01-01T00:00:00Z', -3)]",
    "[ipRangeContains('10.0.0.0/8', '10.1.2.3')]",
    "[union(createObject('a', 1), json('{\"b\": [1, 2]}')).b[0]]",
    "[current('Test.One/things/list[*].port')]",
    "[format('{0:N2} {1}', 3, padLeft(5, 4, '0'))]",
    "[uniqueString(guid(resourceGroup().id), subscription().subscriptionId)]",
)
_LIST = "Test.One/things/list[*]"
_DETAILS = {
    "roleDefinitionIds": ["/r"],
    "operations": [
        {"operation": "addOrReplace", "field": "tags.env", "value": "[field('name')]", "condition": "[true()]"}
    ],
}
_LOOKUP = {"type": "Test.One/parts", "name": "[field('name')]", "existenceCondition": {"field": "name", "exists": True}}
_PORTS = {
    "field": _LIST,
    "where": {"anyOf": [{"field": f"{_LIST}.port", "in": [22, "3389"]}, {"field": f"{_LIST}.tags[*]", "match": "##"}]},
}
_WORDS = {"value": ["a", "b"], "name": "n", "where": {"value": "[current('n')]", "equals": "[field('name')]"}}
_TYPED = [
    {"field": "type", "equals": "Test.One/things"},
    {"not": {"field": "Test.One/things/a", "like": "a*"}},
]
_RULES: tuple[Json, ...] = (
    {"if": {"allOf": _TYPED}, "then": {"effect": "audit"}},
    {"if": {"count": _PORTS, "greater": 0}, "then": {"effect": "deny"}},
    {"if": {"count": _WORDS, "less": 1}, "then": {"effect": "audit"}},
    {
        "if": {"field": "tags['env']", "notEquals": "[parameters('p')]"},
        "then": {"effect": "modify", "details": _DETAILS},
    },
    {
        "if": {"field": "location", "notIn": ["westeurope", "East US"]},
        "then": {"effect": "append", "details": [{"field": "Test.One/things/a", "value": "x"}]},
    },
    {
        "if": {"value": "[length(field('tags'))]", "lessOrEquals": 3},
        "then": {"effect": "auditIfNotExists", "details": _LOOKUP},
    },
    {
        "if": {"anyOf": [{"field": _LIST, "exists": "false"}, {"value": EXPRESSIONS[1], "contains": "b"}]},
        "then": {"effect": "manual"},
    },
)
_PARAMETERS = {"p": {"type": "String", "defaultValue": "x"}}
DEFINITIONS = tuple(
    {"name": "p", "properties": {"mode": "All", "parameters": _PARAMETERS, "policyRule": rule}} for rule in _RULES
)
BODY: Json = {
    "id": "/subscriptions/s/resourceGroups/g/providers/Test.One/things/n",
    "name": "n",
    "type": "Test.One/things",
    "location": "westeurope",
    "kind": "k",
    "tags": {"env": "prod", "A B": "x"},
    "identity": {"type": "SystemAssigned"},
    "properties": {"a": "abc", "list": [{"port": 22, "tags": ["11"]}, {"port": "443"}], "nest": {"deep": True}},
}


def scalar(random: Random) -> Json:
    """Return a word, number, expression or constant."""
    draw = random.random()
    if draw < 0.5:
        return random.choice(WORDS)
    if draw < 0.7:
        return random.choice(NUMBERS)
    return mutated_text(random) if draw < 0.85 else random.choice((None, True, False, "[", 0))


def tree(random: Random, depth: int) -> Json:
    """Return any JSON, whose keys are often words of the language."""
    draw = random.random()
    if depth == 0 or draw < 0.4:
        return scalar(random)
    if draw < 0.6:
        return [tree(random, depth - 1) for _ in range(random.randrange(4))]
    return {random.choice(WORDS): tree(random, depth - 1) for _ in range(random.randrange(4))}


def places(node: Json) -> list[tuple[Json, Json]]:
    """Return every container with each of its keys, the whole tree down."""
    found, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        inner = list(one.items()) if isinstance(one, dict) else list(enumerate(one))
        found += [(one, key) for key, _ in inner]
        waiting += [each for _, each in inner if isinstance(each, dict | list)]
    return found


def mutated(random: Random, source: Json) -> Json:
    """Return a copy with up to four parts replaced, removed, renamed, wrapped or put elsewhere."""
    root = copy.deepcopy(source)
    for _ in range(random.randint(1, 4)):
        spots = places(root)
        if spots:
            change(random, *random.choice(spots), spots)
    return root


def change(random: Random, holder: Json, key: Json, spots: list[tuple[Json, Json]]) -> None:
    """Apply one mutation in one place."""
    draw = random.random()
    if draw < 0.3:
        holder[key] = tree(random, 2)
    elif draw < 0.4:
        del holder[key]
    elif draw < 0.6 and isinstance(holder, dict):
        holder[random.choice(WORDS)] = holder.pop(key)
    elif draw < 0.7:
        holder[key] = wrapped(random, holder[key])
    elif draw < 0.85 and isinstance(holder[key], str):
        holder[key] = broken_text(random, holder[key])
    else:
        other, name = random.choice(spots)
        holder[key] = copy.deepcopy(other[name])


def wrapped(random: Random, value: Json) -> Json:
    """Return the value inside more of the same, sometimes very deep."""
    key = random.choice(("not", "allOf", "anyOf", "value", "where"))
    for _ in range(random.choice((1, 1, 2, 3, 70))):
        value = {key: [value]} if key in {"allOf", "anyOf"} else {key: value}
    return value


def broken_text(random: Random, text: str) -> str:
    """Return a text with a piece cut, doubled or inserted."""
    first, last = sorted((random.randrange(len(text) + 1), random.randrange(len(text) + 1)))
    middle = random.choice(
        ("", text[first:last] * 2, random.choice(PIECES), random.choice(WORDS), text[first:last].swapcase())
    )
    return text[:first] + middle + text[last:]


def mutated_text(random: Random) -> str:
    """Return an expression: a broken known one, a random call, or random pieces."""
    if random.random() < 0.5:
        return broken_text(random, random.choice(EXPRESSIONS))
    if random.random() < 0.5:
        return f"[{call(random, 4)}]"
    return "[" + "".join(random.choice(PIECES) for _ in range(random.randrange(1, 25))) + "]"


def call(random: Random, depth: int) -> str:
    """Return a well-formed call of a function with arguments of any kind."""
    if depth == 0 or random.random() < 0.35:
        return random.choice(
            ("'a'", "''", "1", "-2", "1.5", "'b,c'", "true()", "null()", "'{0}'", "createArray('x', 2)", "'1'")
        )
    name = random.choice(tuple(FUNCTIONS))
    least, most = FUNCTIONS[name].least, FUNCTIONS[name].most
    number = random.randint(least, least + 2 if most is None else most)
    return f"{name}({', '.join(call(random, depth - 1) for _ in range(number))})"


def condition(random: Random, depth: int) -> Json:
    """Return a condition of the right shape, whatever it holds; sometimes any JSON."""
    draw = random.random()
    if draw < 0.03:
        return tree(random, 3)
    if depth > 0 and draw < 0.35:
        return {random.choice(("allOf", "anyOf")): [condition(random, depth - 1) for _ in range(random.randint(1, 3))]}
    if depth > 0 and draw < 0.45:
        return {"not": condition(random, depth - 1)}
    return {**left(random, depth), random.choice(tuple(OPERATORS)): right(random)}


def left(random: Random, depth: int) -> Json:
    """Return the left side of a condition."""
    draw = random.random()
    if draw < 0.5:
        return {
            "field": random.choice((*FIELDS, *(f"Test.One/things/{name}" for name in _NAMES), "[concat('na', 'me')]"))
        }
    if draw < 0.75 or depth == 0:
        return {"value": f"[{call(random, 3)}]" if random.random() < 0.6 else scalar(random)}
    where = {"where": condition(random, depth - 1)} if random.random() < 0.8 else {}
    source = random.choice(
        ({"field": _LIST}, {"field": f"{_LIST}.tags[*]"}, {"value": [1, "a", None, [2]], "name": "n"})
    )
    return {"count": {**source, **where}}


def right(random: Random) -> Json:
    """Return the right side of a condition."""
    draw = random.random()
    if draw < 0.2:
        return [scalar(random) for _ in range(random.randrange(4))]
    return random.choice((True, "false", 1, "a*", "10", "[field('name')]", None)) if draw < 0.7 else scalar(random)
