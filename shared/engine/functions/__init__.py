"""The functions of template expressions: one table, filled by one module per kind of function.

Source: "ARM template functions" and "Azure Policy definition structure: policy functions"; every function is pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.functions.collection import COLLECTION
from shared.engine.functions.date import DATE
from shared.engine.functions.logic import LOGIC
from shared.engine.functions.network import NETWORK
from shared.engine.functions.number import NUMBER
from shared.engine.functions.string import STRING


@dataclass(frozen=True, slots=True)
class TemplateFunction:
    """A pure function with the number of arguments it takes (`most` None: any number)."""

    name: str
    call: Callable[..., Json]
    least: int
    most: int | None


def functions_by_name(
    rows: Mapping[str, tuple[Callable[..., Json], int, int | None]],
) -> Mapping[str, TemplateFunction]:
    """Return the functions of a table by their names in lower case."""
    return {name.lower(): TemplateFunction(name, call, least, most) for name, (call, least, most) in rows.items()}


FUNCTIONS = functions_by_name({**STRING, **NUMBER, **COLLECTION, **LOGIC, **DATE, **NETWORK})


def call_function(function: TemplateFunction, arguments: list[Json]) -> Json:
    """Call it; every failure is an `EvaluationError` that names the function."""
    try:
        return function.call(*arguments)
    except EvaluationError as error:
        raise EvaluationError(f"{function.name}(): {error}") from None
    except (TypeError, ValueError, OSError, RecursionError, ArithmeticError) as error:
        raise EvaluationError(f"{function.name}(): {error}") from None
