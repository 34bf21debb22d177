"""The values of template expressions, and what they see.

Unlike in policies a property that is not there is an error. What only the running deployment knows, and what a
function gives that is not known here, is an `Unknown` that goes through everything computed with it.
Sources: "Syntax and expressions in ARM templates", "Logical functions", "Lambda functions for ARM templates".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from shared.domain.resource import Json
from shared.domain.spelling import spelled
from shared.engine.context import Context
from shared.engine.error import EvaluationError, nearest
from shared.engine.functions import FUNCTIONS, TemplateFunction, call_function
from shared.engine.language.expression import Expression, FunctionCall, Literal, MemberAccess
from shared.engine.templates.budget import ExpansionBudget, known_after_deployment, unknown_function
from shared.engine.templates.lambda_function import LAMBDA_FUNCTIONS
from shared.engine.templates.scope import DEPLOYMENT_FUNCTIONS
from shared.engine.unknown import Partial, Unknown
from shared.engine.value import expect_boolean, expect_integer, expect_text, kind, text

_RUNTIME_FUNCTIONS = frozenset(
    {"reference", "references", "newguid", "pickzones", "providers", "managementgroup", "deployer"}
    | {"tologicalzone", "tologicalzones", "tophysicalzone", "tophysicalzones", "getsecret"}
)
"""Functions that ask the cloud, besides those whose names begin with `list`."""
_CONTAINER_FUNCTIONS = frozenset({"array", "createarray", "createobject"})
"""Functions that only put their arguments together: what is unknown of them stays where it is."""
_SHOWN_CHARACTERS = 200


class LazyValues:
    """Named values of a template, each computed once, when it is first used, in no circle."""

    def __init__(self, sort: str) -> None:
        self._sort = sort
        self._sources: dict[str, Callable[[], Json]] = {}
        self._known: dict[str, Json] = {}
        self._open: set[str] = set()

    def define(self, name: str, compute: Callable[[], Json]) -> None:
        """Define how the value of a name is computed."""
        self._sources[name.lower()] = compute

    def get(self, name: Json) -> Json:
        """Return the value of a name, which compares without case."""
        low = expect_text(name, null=None).lower()
        if low not in self._known:
            self._known[low] = self._computed(low)
        return self._known[low]

    def _computed(self, low: str) -> Json:
        if low not in self._sources:
            near = nearest(low, tuple(self._sources))
            raise EvaluationError(f"no {self._sort} {low[:60]!r}" + (f"; did you mean {near!r}?" if near else ""))
        # A name whose value is being computed asks for itself.
        if low in self._open:
            raise EvaluationError(f"the {self._sort} {low!r} refers to itself in a circle")
        self._open.add(low)
        try:
            return self._sources[low]()
        finally:
            self._open.discard(low)


@dataclass(frozen=True, slots=True)
class ExpressionEnvironment:
    """What an expression sees.

    `functions` are the user-defined ones by `namespace.name` in lower case; `deployment` is what is known of
    deployment(); `loops` are the indexes that copyIndex() gives by the loop's name in lower case, "" being the loop
    that needs no name; `locals` are the arguments of lambdas.
    """

    parameters: LazyValues
    variables: LazyValues
    context: Context
    budget: ExpansionBudget
    functions: dict[str, Callable[..., Json]] = field(default_factory=dict)
    deployment: Mapping[str, Json] = field(default_factory=dict)
    loops: Mapping[str, Json] = field(default_factory=dict)
    locals: Mapping[str, Json] = field(default_factory=dict)

    def within(self, names: tuple[str, ...], index: Json) -> "ExpressionEnvironment":
        """Return the environment of one iteration of the loop with these names."""
        return replace(self, loops={**self.loops, **{name.lower(): index for name in names}})


@dataclass(frozen=True, slots=True)
class _Lambda:
    """`lambda('x', …, body)` with what it sees; it takes as many arguments as it names."""

    environment: ExpressionEnvironment
    names: tuple[str, ...]
    body: Expression
    path: str

    def __call__(self, *arguments: Json) -> Json:
        if len(arguments) < len(self.names):
            raise EvaluationError(f"the lambda names {len(self.names)} arguments, there are {len(arguments)}")
        given = dict(zip(self.names, arguments, strict=False))
        return evaluate(self.body, replace(self.environment, locals={**self.environment.locals, **given}), self.path)


def evaluate(node: Expression, env: ExpressionEnvironment, path: str) -> Json:
    """Return the value of an expression; `path` is where it stands, for errors."""
    match node:
        case Literal():
            return node.value
        case MemberAccess():
            return access_member(evaluate(node.base, env, path), evaluate(node.key, env, path))
        case FunctionCall():
            return _call(node, env, path)


def access_member(base: Json, key: Json) -> Json:
    """Return `base.key` or `base[key]`, keys without case.

    Raises:
        EvaluationError: there is no such member.
    """
    gap = _first_gap([base, key])
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
    found = spelled(base, expect_text(key, null=None))
    if found is not None:
        return base[found]
    if isinstance(base, Partial):
        return _part_of(base.unread, key)
    raise EvaluationError(f"there is no property {key[:60]!r}, only {', '.join(base)[:_SHOWN_CHARACTERS] or 'none'}")


def _part_of(gap: Unknown, key: Json) -> Unknown:
    step = f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{_shown(key)}]"
    return replace(gap, part=f"{gap.part}{step[:_SHOWN_CHARACTERS]}")


def _shown(argument: Json) -> str:
    if isinstance(argument, Unknown):
        return argument.part
    if isinstance(argument, list | Mapping):
        return "[…]" if isinstance(argument, list) else "{…}"
    return f"'{argument[:_SHOWN_CHARACTERS]}'" if isinstance(argument, str) else text(argument)


def _call(node: FunctionCall, env: ExpressionEnvironment, path: str) -> Json:
    env.budget.spend()
    name = node.name.lower()
    lazy = _LAZY_FUNCTIONS.get(name)
    if lazy is not None:
        return lazy(node, env, path)
    arguments = [evaluate(each, env, path) for each in node.arguments]
    gap = env.budget.measure(arguments)
    if name in _RUNTIME_FUNCTIONS or name.startswith("list"):
        return known_after_deployment(f"{node.name}({', '.join(map(_shown, arguments))})")
    if gap is not None and name not in _CONTAINER_FUNCTIONS:
        return gap
    if name == "createobject" and (unnamed := _first_gap(arguments[::2])):
        return unnamed  # under a name that is not known stands no value
    user_defined = env.functions.get(name)
    return user_defined(*arguments) if user_defined else _applied(node, arguments, env)


def _first_gap(values: list[Json]) -> Unknown | None:
    return next((each for each in values if isinstance(each, Unknown)), None)


def _applied(node: FunctionCall, arguments: list[Json], env: ExpressionEnvironment) -> Json:
    name = node.name.lower()
    own, around = _ENVIRONMENT_FUNCTIONS.get(name), DEPLOYMENT_FUNCTIONS.get(name)
    function = own or around or FUNCTIONS.get(name) or LAMBDA_FUNCTIONS.get(name)
    if function is None:
        tables = (_ENVIRONMENT_FUNCTIONS, DEPLOYMENT_FUNCTIONS, FUNCTIONS, LAMBDA_FUNCTIONS)
        known = (each.name for table in tables for each in table.values())
        shown = f"{node.name}({', '.join(map(_shown, arguments))})"
        return unknown_function(node.name, shown, nearest(node.name, known))
    _check_number(function, len(arguments))
    if own is not None:
        return own.call(env, *arguments)
    found = call_function(function, [env.context, *arguments] if around else arguments)
    if isinstance(found, list | dict):
        env.budget.measure(found)  # results may be kept by the thousand: map(range(…), lambda('x', range(…)))
    return found


def _check_number(function: TemplateFunction, found: int) -> None:
    least, most = function.least, function.most
    if found < least or (most is not None and found > most):
        wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise EvaluationError(f"{function.name}() takes {wanted} arguments, found {found}")


def _lambda_variable(env: ExpressionEnvironment, name: Json) -> Json:
    low = expect_text(name, null=None).lower()
    if low not in env.locals:
        raise EvaluationError(f"lambdaVariables(): no lambda around it has an argument {low[:60]!r}")
    return env.locals[low]


def _copy_index(env: ExpressionEnvironment, first: Json = "", offset: Json = 0) -> Json:
    """Evaluate copyIndex([loop], [offset]) or copyIndex(offset)."""
    name, more = (first, offset) if isinstance(first, str) else ("", first)
    index = env.loops.get(name.lower())
    if index is None:
        raise EvaluationError(f"copyIndex() stands outside the loop {name[:60]!r}" if name else _NO_LOOP)
    return index if isinstance(index, Unknown) else index + expect_integer(more)


_NO_LOOP = "copyIndex() needs the name of its loop, save in a copied resource or output"
_ENVIRONMENT_FUNCTIONS: Mapping[str, TemplateFunction] = {
    "parameters": TemplateFunction("parameters", lambda env, name: env.parameters.get(name), 1, 1),
    "variables": TemplateFunction("variables", lambda env, name: env.variables.get(name), 1, 1),
    "deployment": TemplateFunction(
        "deployment", lambda env: Partial(env.deployment, known_after_deployment("deployment()")), 0, 0
    ),
    "lambdavariables": TemplateFunction("lambdaVariables", _lambda_variable, 1, 1),
    "copyindex": TemplateFunction("copyIndex", _copy_index, 0, 2),
}


def _chosen(node: FunctionCall, env: ExpressionEnvironment, path: str) -> Json:
    """Evaluate if(): only the chosen value is computed."""
    _check_number(FUNCTIONS["if"], len(node.arguments))
    test = evaluate(node.arguments[0], env, path)
    if isinstance(test, Unknown):
        return test
    return evaluate(node.arguments[1 if expect_boolean(test) else 2], env, path)


def _coalesced(node: FunctionCall, env: ExpressionEnvironment, path: str) -> Json:
    """Evaluate coalesce(): nothing behind the first value is computed."""
    return next((value for each in node.arguments if (value := evaluate(each, env, path)) is not None), None)


def _logical(node: FunctionCall, env: ExpressionEnvironment, path: str, *, decisive: bool) -> Json:
    """Evaluate and() or or(): nothing behind the first decisive argument is computed; another may be unknown then."""
    _check_number(FUNCTIONS["and"], len(node.arguments))
    gap: Unknown | None = None
    for each in node.arguments:
        value = evaluate(each, env, path)
        if isinstance(value, Unknown):
            gap = value
        elif expect_boolean(value) is decisive:
            return decisive
    return not decisive if gap is None else gap


def _lambda(node: FunctionCall, env: ExpressionEnvironment, path: str) -> Json:
    *names, body = node.arguments or (Literal(None),)
    texts = tuple(each.value.lower() for each in names if isinstance(each, Literal) and isinstance(each.value, str))
    if not names or len(texts) != len(names):
        raise EvaluationError("lambda() takes the names of its arguments, written as strings, and an expression")
    return _Lambda(env, texts, body, path)


_LAZY_FUNCTIONS: Mapping[str, Callable[[FunctionCall, ExpressionEnvironment, str], Json]] = {
    "if": _chosen,
    "coalesce": _coalesced,
    "and": partial(_logical, decisive=False),
    "or": partial(_logical, decisive=True),
    "lambda": _lambda,
}
