"""Date functions of template expressions ("Date functions for ARM templates", and `addDays` of Azure Policy)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import check_text_length, expect_integer, expect_text

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
)
_FRACTION = re.compile(r"\.(\d{1,9})")
_TICKS = 10
"""Ticks of 100 ns in a microsecond, the finest that a datetime has."""
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}


def parse_timestamp(value: Json) -> tuple[datetime, int, str]:
    """Parse a time, UTC where it has no offset; return it, how many digits its fraction has, and the seventh."""
    written = expect_text(value).strip()
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise EvaluationError(f"{written[:40]!r} is not an ISO 8601 time") from None
    fraction = _FRACTION.search(written)
    digits = fraction[1] if fraction else ""
    return found if found.tzinfo else found.replace(tzinfo=UTC), len(digits), digits[6:7] or "0"


def _later(when: datetime, tick: str, span: int) -> tuple[datetime, str]:
    """Return a time and its tick so many ticks later."""
    microseconds, rest = divmod(int(tick) + span, _TICKS)
    return when + timedelta(microseconds=microseconds), str(rest)


def iso_text(when: datetime, digits: int = 0, tick: str = "0") -> str:
    """Format a time as ISO 8601 with so many digits of a second's fraction, the seventh being `tick`; UTC ends in Z."""
    offset = "Z" if not when.utcoffset() else when.isoformat()[-6:]
    fraction = f".{when.microsecond:06d}{tick}"[: digits + 1] if digits else ""
    return f"{when.isoformat()[:19]}{fraction}{offset}"


def duration(value: Json) -> int:
    """Parse an ISO 8601 duration into ticks of 100 ns; a year counts 365 days and a month 30, as .NET reads them."""
    written = expect_text(value)
    found = _DURATION.fullmatch(written)
    if found is None or not any(found[name] for name in (*_DAYS, "hours", "minutes", "seconds")):
        raise EvaluationError(f"{written[:40]!r} is not an ISO 8601 duration")
    hours = sum(int(found[name] or 0) * days for name, days in _DAYS.items()) * 24 + int(found["hours"] or 0)
    # As a decimal number: a double does not hold the ticks of a century.
    seconds = Decimal(hours * 60 + int(found["minutes"] or 0)) * 60 + Decimal(found["seconds"] or 0)
    ticks = int(seconds * 1_000_000 * _TICKS)
    return -ticks if found["sign"] else ticks


def add_days(value: Json, days: Json) -> str:
    """Return the time so many days later."""
    when, digits, tick = parse_timestamp(value)
    return iso_text(when + timedelta(days=expect_integer(days)), digits, tick)


def date_time_add(value: Json, span: Json, format_: Json = None) -> str:
    """Return the time a duration later, in the given .NET format."""
    when, digits, tick = parse_timestamp(value)
    later, tick = _later(when, tick, duration(span))
    if format_ is not None:
        return format_timestamp(later, expect_text(format_), tick)
    return iso_text(later, digits, tick)


def date_time_from_epoch(value: Json) -> str:
    """Convert seconds since 1970 to a time."""
    return iso_text(datetime.fromtimestamp(expect_integer(value), UTC))


def date_time_to_epoch(value: Json) -> int:
    """Convert a time to seconds since 1970."""
    return int(parse_timestamp(value)[0].timestamp())


_PATTERN = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|%|\.F+|([yMdHhmsfFtzgK])\1*")
_PATTERN_CHARACTERS = 1_000
_LONG_DATE = "dddd, dd MMMM yyyy"
_STANDARD_FORMATS = {
    "d": "MM/dd/yyyy",
    "D": _LONG_DATE,
    "f": f"{_LONG_DATE} HH:mm",
    "F": f"{_LONG_DATE} HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": f"{_LONG_DATE} HH:mm:ss",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
# These write the time in UTC, whatever its offset.
_UTC_FORMATS = frozenset("RruU")
_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def _named(number: int, size: int, names: list[str], at: int) -> str:
    return f"{number:0{size}d}" if size < 3 else names[at][:3] if size == 3 else names[at]  # noqa: PLR2004 - ddd, dddd


def _offset(when: datetime, size: int) -> str:
    written_ = f"{when:%:z}"[:6]
    return written_ if size > 2 else written_[:3] if size == 2 else written_[0] + str(int(written_[1:3]))  # noqa: PLR2004


_WRITERS: dict[str, Callable[[datetime, int], str]] = {
    "y": lambda when, size: f"{when.year if size > 2 else when.year % 100:0{size}d}",  # noqa: PLR2004 - yyyy
    "M": lambda when, size: _named(when.month, size, _MONTHS, when.month - 1),
    "d": lambda when, size: _named(when.day, size, _WEEKDAYS, when.weekday()),
    "H": lambda when, size: f"{when.hour:0{min(size, 2)}d}",
    "h": lambda when, size: f"{when.hour % 12 or 12:0{min(size, 2)}d}",
    "m": lambda when, size: f"{when.minute:0{min(size, 2)}d}",
    "s": lambda when, size: f"{when.second:0{min(size, 2)}d}",
    "t": lambda when, size: ("AM" if when.hour < 12 else "PM")[:size],  # noqa: PLR2004 - noon
    "z": _offset,
    "K": lambda when, _: iso_text(when)[19:],
    "g": lambda _when, _size: "A.D.",
}


def format_timestamp(when: datetime, pattern: str, tick: str = "0") -> str:
    """Format a time, with the tick below its microsecond, by a .NET format (the invariant culture)."""
    if len(pattern) == 1 and pattern not in _STANDARD_FORMATS:
        raise EvaluationError(f"unknown date format {pattern!r}")
    if len(pattern) > _PATTERN_CHARACTERS:
        raise EvaluationError(f"the date format has more than {_PATTERN_CHARACTERS} characters")
    when = when.astimezone(UTC) if pattern in _UTC_FORMATS else when
    written = _STANDARD_FORMATS.get(pattern, pattern)
    return check_text_length(_PATTERN.sub(lambda found: _part(when, tick, found[0]), written))


def _part(when: datetime, tick: str, code: str) -> str:
    fraction = f"{when.microsecond:06d}{tick}"
    if code[0] in "'\"":
        return code[1:-1]
    if code[0] in "\\%":
        return code[1:]
    if code[0] == ".":  # a fraction without digits goes with its point
        digits = fraction[: len(code) - 1].rstrip("0")
        return f".{digits}" if digits else ""
    if code[0] in "fF":
        digits = fraction[: len(code)]
        return digits if code[0] == "f" else digits.rstrip("0")
    return _WRITERS[code[0]](when, len(code))


DATE: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "addDays": (add_days, 2, 2),
    "dateTimeAdd": (date_time_add, 2, 3),
    "dateTimeFromEpoch": (date_time_from_epoch, 1, 1),
    "dateTimeToEpoch": (date_time_to_epoch, 1, 1),
}
