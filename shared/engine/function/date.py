"""Date functions of template expressions ("Date functions for ARM templates", and `addDays` of Azure Policy)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import bounded, expect_integer, expect_text

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
)
_FRACTION = re.compile(r"\.(\d{1,9})")
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}


def moment(value: Json) -> tuple[datetime, int, str]:
    """A point in time, UTC where no offset is written, the digits of its fraction of a second, and the seventh one."""
    written = expect_text(value).strip()
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        raise EvaluationError(f"{written[:40]!r} is not an ISO 8601 time") from None
    fraction = _FRACTION.search(written)
    digits = fraction[1] if fraction else ""
    return found if found.tzinfo else found.replace(tzinfo=UTC), len(digits), digits[6:7] or "0"


def written(when: datetime, digits: int = 0, tick: str = "0") -> str:
    """As ISO 8601 with the given digits of a second's fraction, the seventh being `tick`; UTC ends in Z."""
    offset = "Z" if not when.utcoffset() else when.isoformat()[-6:]
    fraction = f".{when.microsecond:06d}{tick}"[: digits + 1] if digits else ""
    return f"{when.isoformat()[:19]}{fraction}{offset}"


def duration(value: Json) -> timedelta:
    """An ISO 8601 duration; a year counts 365 days and a month 30, as .NET reads them."""
    written = expect_text(value)
    found = _DURATION.fullmatch(written)
    if found is None or not any(found[name] for name in (*_DAYS, "hours", "minutes", "seconds")):
        raise EvaluationError(f"{written[:40]!r} is not an ISO 8601 duration")
    span = timedelta(
        days=sum(int(found[name] or 0) * days for name, days in _DAYS.items()),
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=float(found["seconds"] or 0),
    )
    return -span if found["sign"] else span


def add_days(value: Json, days: Json) -> str:
    """The time so many days later."""
    when, digits, tick = moment(value)
    return written(when + timedelta(days=expect_integer(days)), digits, tick)


def date_time_add(value: Json, span: Json, format_: Json = None) -> str:
    """The time a duration later, in the given .NET format."""
    when, digits, tick = moment(value)
    later = when + duration(span)
    return written(later, digits, tick) if format_ is None else formatted(later, expect_text(format_))


def date_time_from_epoch(value: Json) -> str:
    """Seconds since 1970 as a time."""
    return written(datetime.fromtimestamp(expect_integer(value), UTC))


def date_time_to_epoch(value: Json) -> int:
    """A time as seconds since 1970."""
    return int(moment(value)[0].timestamp())


_PATTERN = re.compile(r"'[^']*'|\"[^\"]*\"|\\.|%|\.F+|([yMdHhmsfFtzgK])\1*")
_LONGEST_PATTERN = 1_000
_FULL = "dddd, dd MMMM yyyy"
_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": _FULL,
    "f": f"{_FULL} HH:mm",
    "F": f"{_FULL} HH:mm:ss",
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
    "U": f"{_FULL} HH:mm:ss",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_IN_UTC = frozenset("RruU")
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
    "f": lambda when, size: f"{when.microsecond:06d}0"[:size],
    "F": lambda when, size: f"{when.microsecond:06d}0"[:size].rstrip("0"),
    "t": lambda when, size: ("AM" if when.hour < 12 else "PM")[:size],  # noqa: PLR2004 - noon
    "z": _offset,
    "K": lambda when, _: written(when)[19:],
    "g": lambda _when, _size: "A.D.",
}


def formatted(when: datetime, pattern: str) -> str:
    """A time in a .NET standard or custom format (the invariant culture)."""
    if len(pattern) == 1 and pattern not in _STANDARD:
        raise EvaluationError(f"unknown date format {pattern!r}")
    if len(pattern) > _LONGEST_PATTERN:
        raise EvaluationError(f"the date format has more than {_LONGEST_PATTERN} characters")
    when = when.astimezone(UTC) if pattern in _IN_UTC else when
    return bounded(_PATTERN.sub(lambda found: _part(when, found[0]), _STANDARD.get(pattern, pattern)))


def _part(when: datetime, code: str) -> str:
    if code[0] in "'\"":
        return code[1:-1]
    if code[0] in "\\%":
        return code[1:]
    if code[0] == ".":  # a fraction without digits goes with its point
        digits = _WRITERS["F"](when, len(code) - 1)
        return f".{digits}" if digits else ""
    return _WRITERS[code[0]](when, len(code))


DATE: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "addDays": (add_days, 2, 2),
    "dateTimeAdd": (date_time_add, 2, 3),
    "dateTimeFromEpoch": (date_time_from_epoch, 1, 1),
    "dateTimeToEpoch": (date_time_to_epoch, 1, 1),
}
