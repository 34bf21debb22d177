"""Functions of template expressions that take lambdas ("Lambda functions for ARM templates"); policies have none."""

from collections.abc import Callable, Mapping
from functools import cmp_to_key, wraps

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.functions import functions_by_name
from shared.engine.unknown import Unknown
from shared.engine.value import expect_array, expect_boolean, expect_text, kind

Lambda = Callable[..., Json]


class _Gap(Exception):
    """A lambda's result that is needed and not known."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__()
        self.unknown = unknown


def _whole(function: Callable[..., Json]) -> Callable[..., Json]:
    """Make the whole result unknown where a lambda's result that decides is."""

    @wraps(function)
    def call(*arguments: Json) -> Json:
        try:
            return function(*arguments)
        except _Gap as gap:
            return gap.unknown

    return call


def _result[Kind](expect: Callable[[Json], Kind], value: Json) -> Kind:
    if isinstance(value, Unknown):
        raise _Gap(value)
    return expect(value)


def _lambda(value: Json) -> Lambda:
    if not callable(value):
        raise EvaluationError(f"expected a lambda, found a {kind(value)}")
    found: Lambda = value
    return found


def map_(values: Json, function: Json) -> Json:
    """Return the lambda's result for every member; it may take the index as well."""
    return [_lambda(function)(each, at) for at, each in enumerate(expect_array(values))]


@_whole
def filter_(values: Json, function: Json) -> Json:
    """Return the members that the lambda is true of; it may take the index as well."""
    test = _lambda(function)
    return [each for at, each in enumerate(expect_array(values)) if _result(expect_boolean, test(each, at))]


def reduce(values: Json, start: Json, function: Json) -> Json:
    """Return the lambda's result for what came before and each member in turn; it may take the index as well."""
    for at, each in enumerate(expect_array(values)):
        start = _lambda(function)(start, each, at)
    return start


@_whole
def sort(values: Json, function: Json) -> Json:
    """Return the members in the order in which the lambda says that the first of two stands before the second."""
    before = _lambda(function)

    def compare(one: Json, other: Json) -> int:
        return -_result(expect_boolean, before(one, other)) or int(_result(expect_boolean, before(other, one)))

    return sorted(expect_array(values), key=cmp_to_key(compare))


@_whole
def to_object(values: Json, key: Json, value: Json = None) -> Json:
    """Return an object of the members, or of what the second lambda makes of them."""
    pairs = ((_result(expect_text, _lambda(key)(each)), each) for each in expect_array(values))
    return {name: each if value is None else _lambda(value)(each) for name, each in pairs}


def map_values(values: Json, function: Json) -> Json:
    """Return the object with the lambda's result for every value."""
    if not isinstance(values, Mapping):
        raise EvaluationError(f"expected an object, found a {kind(values)}")
    return {key: _lambda(function)(each) for key, each in values.items()}


@_whole
def group_by(values: Json, function: Json) -> Json:
    """Return the members in arrays by the key that the lambda gives."""
    found: dict[str, list[Json]] = {}
    for each in expect_array(values):
        found.setdefault(_result(expect_text, _lambda(function)(each)), []).append(each)
    return found


_TABLE: Mapping[str, tuple[Callable[..., Json], int, int | None]] = {
    "map": (map_, 2, 2),
    "filter": (filter_, 2, 2),
    "reduce": (reduce, 3, 3),
    "sort": (sort, 2, 2),
    "toObject": (to_object, 2, 3),
    "mapValues": (map_values, 2, 2),
    "groupBy": (group_by, 2, 2),
}
LAMBDA_FUNCTIONS = functions_by_name(_TABLE)
