"""Random rules and resources from a seed, over the aliases of tables/aliases.yaml."""

from random import Random
from typing import Any

WORDS = ["a", "A", "b", "ab", "", "x1", "x~", "10", "9", "true", "TRUE", "a*"]
SCALARS = [*WORDS, 0, 1, 2, 10, 3.5, True, False]
FIELDS = ["Test/a", "Test/b", "Test/num", "Test/nest.deep", "kind", "location", "tags.env", "tags.Env", "Test/obj"]
ARRAYS = ["Test/list[*]", "Test/items[*].name", "Test/items[*].port", "Test/items[*].tags[*]", "Test/flat.value"]
UNREAD = [
    "properties",
    "properties.a",
    "properties.nest",
    "properties.list",
    "properties.items",
    "tags",
    "properties.obj",
]


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - reproducible cases, not secrets


def scalar(random: Random) -> Any:
    return random.choice(SCALARS)


def body(random: Random) -> dict[str, Any]:
    """A resource in which anything may be missing, null, of a wrong type or oddly spelled."""
    found: dict[str, Any] = {"name": random.choice(WORDS), "type": "T.One/a"}
    found[spelled(random, "properties")] = properties(random)
    if random.random() < 0.6:
        found["kind"] = random.choice(WORDS)
    if random.random() < 0.7:
        found["tags"] = odd(random, {random.choice(["env", "ENV", "other"]): random.choice(WORDS)})
    return found


def properties(random: Random) -> dict[str, Any]:
    makers = {
        "a": (0.7, scalar),
        "b": (0.7, scalar),
        "num": (0.7, scalar),
        "obj": (0.7, obj),
        "list": (0.8, lambda _: odd(random, [scalar(random) for _ in range(random.randrange(4))])),
        "items": (0.8, lambda _: odd(random, [item(random) for _ in range(random.randrange(4))])),
        "flat": (0.5, lambda _: [{"value": scalar(random)} for _ in range(random.randrange(3))]),
        "nest": (0.6, lambda _: odd(random, {"properties": {"deep": scalar(random)}})),
    }
    kept = [(name, make) for name, (chance, make) in makers.items() if random.random() < chance]
    return {spelled(random, name) if name in {"a", "b", "num", "obj"} else name: make(random) for name, make in kept}


def spelled(random: Random, name: str) -> str:
    return name if random.random() < 0.8 else name.capitalize()


def odd(random: Random, value: Any) -> Any:
    return random.choice([None, "x", 1, {}, []]) if random.random() < 0.08 else value


def obj(random: Random) -> Any:
    return {random.choice(["k", "K", "z"]): scalar(random) for _ in range(random.randrange(3))}


def item(random: Random) -> Any:
    found: dict[str, Any] = {}
    if random.random() < 0.8:
        found["name"] = scalar(random)
    if random.random() < 0.7:
        found["port"] = random.choice([1, 2, 10, "10", 443])
    if random.random() < 0.7:
        found["tags"] = [scalar(random) for _ in range(random.randrange(3))]
    return odd(random, found)


def rule(random: Random, depth: int = 3, around: tuple[str, ...] = ()) -> dict[str, Any]:
    """A rule; `around` names the arrays of the counts around it, outermost first."""
    inside = around[-1] if around else ""
    draw = random.random()
    if depth > 0 and draw < 0.45:
        return logic(random, depth, around)
    if depth > 0 and draw < 0.62:
        return count(random, depth, around)
    if draw < 0.72:
        return {"value": expression(random, inside), **comparison(random)}
    return {"field": field(random, inside), **comparison(random)}


def logic(random: Random, depth: int, around: tuple[str, ...]) -> dict[str, Any]:
    kind = random.choice(["allOf", "anyOf", "not"])
    if kind == "not":
        return {"not": rule(random, depth - 1, around)}
    return {kind: [rule(random, depth - 1, around) for _ in range(random.randint(1, 3))]}


def field(random: Random, inside: str) -> str:
    if inside == "Test/items[*]" and random.random() < 0.7:
        return random.choice(
            ["Test/items[*].name", "Test/items[*].port", "Test/items[*].tags[*]", "Test/items[*].tags"]
        )
    if inside in {"Test/list[*]", "Test/items[*].tags[*]"} and random.random() < 0.7:
        return inside
    return random.choice(FIELDS if random.random() < 0.7 else ARRAYS)


OPERATORS = [
    "equals",
    "notEquals",
    "in",
    "notIn",
    "like",
    "notLike",
    "contains",
    "notContains",
    "exists",
    "exists",
    "less",
    "greaterOrEquals",
    "greater",
    "lessOrEquals",
    "containsKey",
    "notContainsKey",
]


def comparison(random: Random) -> dict[str, Any]:
    operator = random.choice(OPERATORS)
    return {operator: right(random, operator)}


def right(random: Random, operator: str) -> Any:
    if operator in {"in", "notIn"}:
        return [scalar(random) for _ in range(random.randrange(4))]
    if operator in {"like", "notLike"}:
        return random.choice(["a*", "*b", "*", "a*b", "x1", "", "*a*b*", "1*"])
    if operator in {"containsKey", "notContainsKey"}:
        return random.choice(["k", "Z", "env"])
    if operator == "exists":
        return random.choice([True, False, "true", "False"])
    if operator in {"equals", "notEquals"} and random.random() < 0.15:
        return random.choice(
            ["[field('Test/b')]", "[toLower('AB')]", "[length(field('Test/list[*]'))]", {"k": 1}, ["a"]]
        )
    return scalar(random)


def expression(random: Random, inside: str) -> Any:
    choices = [
        "[field('Test/a')]",
        "[length(field('Test/list[*]'))]",
        "[length(field('Test/a'))]",
        "[toLower(field('Test/b'))]",
        "[empty(field('Test/obj'))]",
        "[if(equals(field('kind'), 'a'), field('Test/a'), 'b')]",
        "[field('Test/items[*].name')]",
    ]
    if inside in {"Test/list[*]", "Test/items[*].tags[*]"}:
        choices += [f"[current('{inside}')]", f"[length(field('{inside}'))]"]
    if inside.startswith("="):
        choices += [f"[current('{inside[1:]}')]"] * 3
    return random.choice([*choices, scalar(random)])


def count(random: Random, depth: int, around: tuple[str, ...]) -> dict[str, Any]:
    arrays = [each for each in ("Test/list[*]", "Test/items[*]") if each not in around]
    if "Test/items[*].tags[*]" in around:
        arrays = [each for each in arrays if each != "Test/items[*]"]
    elif around[-1:] in {(), ("Test/items[*]",)}:
        arrays.append("Test/items[*].tags[*]")
    if not arrays or random.random() < 0.15:
        within = f"=v{len(around)}"
        source: dict[str, Any] = {"value": [scalar(random) for _ in range(random.randrange(4))], "name": within[1:]}
    else:
        within = random.choice(arrays)
        source = {"field": within}
    if random.random() < 0.8:
        source["where"] = rule(random, depth - 1, (*around, within))
    operator = random.choice(["equals", "notEquals", "greater", "greaterOrEquals", "less", "lessOrEquals", "in"])
    return {"count": source, operator: [0, 2] if operator == "in" else random.randrange(4)}
