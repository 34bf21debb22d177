"""The values of template expressions, and what they see.

Unlike in policies a property that is not there is an error. What only the running deployment knows is an `Unknown`
that goes through everything computed with it.
Sources: "Syntax and expressions in ARM templates", "Logical functions", "Lambda functions for ARM templates".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from shared.domain.resource import Json
from shared.engine.context import Context
from shared.engine.error import EvaluationError, InvalidDefinition, nearest
from shared.engine.expression import Access, Call, Expression, Literal
from shared.engine.function import FUNCTIONS, Function, call
from shared.engine.template.budget import Budget, after
from shared.engine.template.lambda_function import LAMBDA_FUNCTIONS
from shared.engine.template.scope import SURROUNDINGS
from shared.engine.unknown import Partial, Unknown
from shared.engine.value import expect_boolean, expect_integer, expect_text, kind, text

_RUNNING = frozenset(
    {"reference", "references", "newguid", "pickzones", "providers", "environment", "managementgroup", "deployer"}
    | {"tologicalzone", "tologicalzones", "tophysicalzone", "tophysicalzones", "getsecret"}
)
"""Functions that ask the cloud, beside those whose names begin with `list`."""
_CARRIERS = frozenset({"array", "createarray", "createobject"})
"""Functions that only put their arguments together: what is unknown of them stays where it is."""
_LONGEST_SHOWN = 200


class Names:
    """Named values of a template, each computed once, when it is first used, in no circle."""

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._sources: dict[str, Callable[[], Json]] = {}
        self._known: dict[str, Json] = {}
        self._open: set[str] = set()

    def define(self, name: str, compute: Callable[[], Json]) -> None:
        """Say how the value of a name is computed."""
        self._sources[name.lower()] = compute

    def get(self, name: Json) -> Json:
        """The value of a name, which compares without case."""
        low = expect_text(name, null=None).lower()
        if low not in self._known:
            self._known[low] = self._computed(low)
        return self._known[low]

    def _computed(self, low: str) -> Json:
        if low not in self._sources:
            near = nearest(low, tuple(self._sources))
            raise EvaluationError(f"no {self._sort} {low[:60]!r}" + (f"; did you mean {near!r}?" if near else ""))
        if low in self._open:
            raise EvaluationError(f"the {self._sort} {low!r} refers to itself in a circle")
        self._open.add(low)
        try:
            return self._sources[low]()
        finally:
            self._open.discard(low)


@dataclass(frozen=True, slots=True)
class Environment:
    """What an expression sees.

    `functions` are the user-defined ones by `namespace.name` in lower case; `deployment` is what is known of
    deployment(); `loops` are the indexes that copyIndex() gives by the loop's name in lower case, "" being the loop
    that needs no name; `locals` are the arguments of lambdas.
    """

    parameters: Names
    variables: Names
    context: Context
    budget: Budget
    functions: dict[str, Callable[..., Json]] = field(default_factory=dict)
    deployment: Mapping[str, Json] = field(default_factory=dict)
    loops: Mapping[str, Json] = field(default_factory=dict)
    locals: Mapping[str, Json] = field(default_factory=dict)

    def within(self, names: tuple[str, ...], index: Json) -> "Environment":
        """An iteration of the loop with these names."""
        return replace(self, loops={**self.loops, **{name.lower(): index for name in names}})


@dataclass(frozen=True, slots=True)
class _Lambda:
    """`lambda('x', …, body)` with what it sees; it takes as many arguments as it names."""

    environment: Environment
    names: tuple[str, ...]
    body: Expression
    path: str

    def __call__(self, *arguments: Json) -> Json:
        if len(arguments) < len(self.names):
            raise EvaluationError(f"the lambda names {len(self.names)} arguments, there are {len(arguments)}")
        given = dict(zip(self.names, arguments, strict=False))
        return compute(self.body, replace(self.environment, locals={**self.environment.locals, **given}), self.path)


def compute(node: Expression, env: Environment, path: str) -> Json:
    """The value of an expression; `path` is where it stands, for errors."""
    match node:
        case Literal():
            return node.value
        case Access():
            return access(compute(node.base, env, path), compute(node.key, env, path))
        case Call():
            return _call(node, env, path)


def access(base: Json, key: Json) -> Json:
    """`base.key` and `base[key]`, keys without case.

    Raises:
        EvaluationError: there is no such member.
    """
    gap = next((each for each in (base, key) if isinstance(each, Unknown)), None)
    if gap is not None:
        return key if gap is key else _part_of(gap, key)
    if isinstance(base, list):
        at = expect_integer(key)
        if not 0 <= at < len(base):
            raise EvaluationError(f"index {at} is outside an array of {len(base)}")
        return base[at]
    return _property(base, key)


def _property(base: Json, key: Json) -> Json:
    if not isinstance(base, Mapping):
        raise EvaluationError(f"{kind(base)} has no property {text(key)[:60]!r}")
    low = expect_text(key, null=None).lower()
    found = next((each for each in base if each.lower() == low), None)
    if found is not None:
        return base[found]
    if isinstance(base, Partial):
        return _part_of(base.unread, key)
    raise EvaluationError(f"there is no property {key[:60]!r}, only {', '.join(base)[:_LONGEST_SHOWN] or 'none'}")


def _part_of(gap: Unknown, key: Json) -> Unknown:
    step = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{_shown(key)}]"
    return replace(gap, part=f"{gap.part}{step[:_LONGEST_SHOWN]}")


def _shown(argument: Json) -> str:
    if isinstance(argument, Unknown):
        return argument.part
    if isinstance(argument, list | Mapping):
        return "[…]" if isinstance(argument, list) else "{…}"
    return f"'{argument[:_LONGEST_SHOWN]}'" if isinstance(argument, str) else text(argument)


def _call(node: Call, env: Environment, path: str) -> Json:
    env.budget.spend()
    name = node.name.lower()
    lazy = _LAZY.get(name)
    if lazy is not None:
        return lazy(node, env, path)
    arguments = [compute(each, env, path) for each in node.arguments]
    gap = env.budget.measure(arguments)
    if name in _RUNNING or name.startswith("list"):
        return after(f"{node.name}({', '.join(map(_shown, arguments))})")
    if gap is not None and name not in _CARRIERS:
        return gap
    user_defined = env.functions.get(name)
    return user_defined(*arguments) if user_defined else _applied(node, arguments, env, path)


def _applied(node: Call, arguments: list[Json], env: Environment, path: str) -> Json:
    name = node.name.lower()
    own, around = _OWN.get(name), SURROUNDINGS.get(name)
    function = own or around or FUNCTIONS.get(name) or LAMBDA_FUNCTIONS.get(name)
    if function is None:
        raise _unknown_function(node.name, path)
    _check_number(function, len(arguments))
    if own is not None:
        return own.call(env, *arguments)
    found = call(function, [env.context, *arguments] if around else arguments)
    if isinstance(found, list | dict):
        env.budget.measure(found)  # results may be kept by the thousand: map(range(…), lambda('x', range(…)))
    return found


def _unknown_function(name: str, path: str) -> InvalidDefinition:
    tables = (_OWN, SURROUNDINGS, FUNCTIONS, LAMBDA_FUNCTIONS)
    known = tuple(each.name for table in tables for each in table.values())
    message = f"unknown function {name[:60]!r}"
    return InvalidDefinition(message, path=path, offending=name, suggestion=nearest(name, known))


def _check_number(function: Function, found: int) -> None:
    least, most = function.least, function.most
    if found < least or (most is not None and found > most):
        wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise EvaluationError(f"{function.name}() takes {wanted} arguments, found {found}")


def _lambda_variable(env: Environment, name: Json) -> Json:
    low = expect_text(name, null=None).lower()
    if low not in env.locals:
        raise EvaluationError(f"lambdaVariables(): no lambda around it has an argument {low[:60]!r}")
    return env.locals[low]


def _copy_index(env: Environment, first: Json = "", offset: Json = 0) -> Json:
    """copyIndex([loop], [offset]) or copyIndex(offset)."""
    name, more = (first, offset) if isinstance(first, str) else ("", first)
    index = env.loops.get(name.lower())
    if index is None:
        raise EvaluationError(f"copyIndex() stands outside the loop {name[:60]!r}" if name else _NO_LOOP)
    return index if isinstance(index, Unknown) else index + expect_integer(more)


_NO_LOOP = "copyIndex() needs the name of its loop, save in a copied resource or output"
_OWN: Mapping[str, Function] = {
    "parameters": Function("parameters", lambda env, name: env.parameters.get(name), 1, 1),
    "variables": Function("variables", lambda env, name: env.variables.get(name), 1, 1),
    "deployment": Function("deployment", lambda env: Partial(env.deployment, after("deployment()")), 0, 0),
    "lambdavariables": Function("lambdaVariables", _lambda_variable, 1, 1),
    "copyindex": Function("copyIndex", _copy_index, 0, 2),
}


def _chosen(node: Call, env: Environment, path: str) -> Json:
    """if(): only the chosen value is computed."""
    _check_number(FUNCTIONS["if"], len(node.arguments))
    test = compute(node.arguments[0], env, path)
    if isinstance(test, Unknown):
        return test
    return compute(node.arguments[1 if expect_boolean(test) else 2], env, path)


def _coalesced(node: Call, env: Environment, path: str) -> Json:
    """coalesce(): nothing behind the first value is computed."""
    return next((value for each in node.arguments if (value := compute(each, env, path)) is not None), None)


def _logical(node: Call, env: Environment, path: str, *, decisive: bool) -> Json:
    """and() and or(): nothing behind the first decisive argument is computed; another may be unknown then."""
    _check_number(FUNCTIONS["and"], len(node.arguments))
    gap: Unknown | None = None
    for each in node.arguments:
        value = compute(each, env, path)
        if isinstance(value, Unknown):
            gap = value
        elif expect_boolean(value) is decisive:
            return decisive
    return not decisive if gap is None else gap


def _lambda(node: Call, env: Environment, path: str) -> Json:
    *names, body = node.arguments or (Literal(None),)
    texts = tuple(each.value.lower() for each in names if isinstance(each, Literal) and isinstance(each.value, str))
    if not names or len(texts) != len(names):
        raise EvaluationError("lambda() takes the names of its arguments, written as strings, and an expression")
    return _Lambda(env, texts, body, path)


_LAZY: Mapping[str, Callable[[Call, Environment, str], Json]] = {
    "if": _chosen,
    "coalesce": _coalesced,
    "and": partial(_logical, decisive=False),
    "or": partial(_logical, decisive=True),
    "lambda": _lambda,
}
