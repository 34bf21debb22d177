"""`format`: .NET composite formatting, with its standard and custom numeric formats in the invariant culture.

Source: "String functions for ARM templates, format"; .NET "Composite formatting", "Standard numeric format strings" and
"Custom numeric format strings".
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import Number, check_length, check_text_length, expect_text, is_number, text

_FORMAT_ITEM = re.compile(r"\{\{|\}\}|\{(\d{1,3})(?:,(-?\d{1,4}))?(?::([^{}]*))?\}|[{}]")
_STANDARD_FORMAT = re.compile(r"([A-Za-z])(\d{0,2})")
_CUSTOM_FORMAT = re.compile(r"([^#0.,%']*)([#0][#0,]*|)(?:\.([#0]+))?(%?)([^#0.,%']*)")
_PRECISION_DIGITS = 500
_FORMAT_CHARACTERS = 200


def format_(template: Json, *arguments: Json) -> str:
    """Fill {0}, {1:F2}, {0,10} with the arguments; doubled braces stand for braces."""
    written = expect_text(template, null=None)
    size = len(written)

    def fill(found: re.Match[str]) -> str:
        nonlocal size
        if found[0] in {"{{", "}}"}:
            size -= 1
            return found[0][1:]
        if found[1] is None or int(found[1]) >= len(arguments):
            raise EvaluationError(f"cannot fill {found[0]!r} with {len(arguments)} arguments")
        shown = _shown(arguments[int(found[1])], found[3] or "")
        width = int(found[2] or 0)
        size += max(len(shown), abs(width)) - len(found[0])
        check_length(size)
        return shown.rjust(width).ljust(-width)

    return check_text_length(_FORMAT_ITEM.sub(fill, written))


def _shown(value: Json, code: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, list | dict):
        return text(value).replace('"', "'")
    return _number(value, code) if code and is_number(value) else text(value)


def _number(value: Number, code: str) -> str:
    found = _STANDARD_FORMAT.fullmatch(code)
    if found is None:
        return _custom(value, code)
    letter, digits = found[1], int(found[2]) if found[2] else None
    writer = _WRITERS.get(letter.upper())
    if writer is None:
        raise EvaluationError(f"unknown number format {code[:20]!r}")
    if letter.upper() in "DX" and not isinstance(value, int):
        raise EvaluationError(f"{code!r} formats integers, found {text(value)}")
    shown = writer(value, digits)
    return shown.lower() if letter in "ex" else shown


def _rounded(value: Number, digits: int) -> Decimal:
    """Round half away from zero, as .NET does."""
    with localcontext() as context:
        context.prec = _PRECISION_DIGITS
        return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _grouped(value: Number, digits: int | None) -> str:
    return f"{_rounded(value, 2 if digits is None else digits):,f}"


def _exponential(value: Number, digits: int | None) -> str:
    """Format in scientific notation; the exponent has three digits or more."""
    mantissa, _, exponent = f"{value:.{6 if digits is None else digits}E}".partition("E")
    return f"{mantissa}E{exponent[0]}{exponent[1:]:>03}"


_WRITERS: dict[str, Callable[[Number, int | None], str]] = {
    "C": lambda value, digits: f"{'-' if value < 0 else ''}¤{_grouped(abs(value), digits)}",
    "D": lambda value, digits: f"{'-' if value < 0 else ''}{abs(int(value)):0{digits or 1}d}",
    "E": _exponential,
    "F": lambda value, digits: f"{_rounded(value, 2 if digits is None else digits):f}",
    "G": lambda value, digits: f"{value:.{digits}G}" if digits else text(value),
    "N": _grouped,
    "P": lambda value, digits: f"{_grouped(Decimal(value) * 100, digits)} %",  # type: ignore[arg-type]
    "R": lambda value, _: text(value),
    "X": lambda value, digits: f"{int(value) & 0xFFFFFFFFFFFFFFFF:0{digits or 1}X}",
}


def _custom(value: Number, pattern: str) -> str:
    """Format by a pattern such as `000`, `#,##0.00` or `0.#%` with text around it."""
    found = _CUSTOM_FORMAT.fullmatch(pattern) if len(pattern) <= _FORMAT_CHARACTERS else None
    if found is None or not (found[2] or found[3]):
        raise EvaluationError(f"unknown number format {pattern[:20]!r}")
    head, integer, fraction, percent, tail = (part or "" for part in found.groups())
    whole, _, part = f"{_rounded(abs(value) * (100 if percent else 1), len(fraction)):f}".partition(".")
    part = part.rstrip("0").ljust(fraction.rfind("0") + 1, "0")
    places = integer.replace(",", "")
    whole = whole.lstrip("0").rjust(len(places) - places.index("0") if "0" in places else 0, "0")
    if "," in integer:
        whole = _in_threes(whole)
    sign = "-" if value < 0 and (whole + part).strip("0,") else ""
    return f"{sign}{head}{whole}{'.' if part else ''}{part}{percent}{tail}"


def _in_threes(digits: str) -> str:
    first = len(digits) % 3
    groups = ([digits[:first]] if first else []) + [digits[at : at + 3] for at in range(first, len(digits), 3)]
    return ",".join(groups)
