"""Date functions of template expressions ("Date functions for ARM templates", and `addDays` of Azure Policy)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shared.domain.resource import Json
from shared.engine.error import EvaluationError
from shared.engine.value import expect_integer, expect_text

_DURATION = re.compile(
    r"(?P<sign>-)?P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?",
)
_FRACTION = re.compile(r"\.(\d{1,9})")
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}
_LONGEST = 40


def moment(value: Json) -> tuple[datetime, int]:
    """A point in time, UTC where no offset is written, and the number of digits of its fraction of a second."""
    written = expect_text(value, null=None).strip()
    try:
        found = datetime.fromisoformat(written[:_LONGEST])
    except ValueError:
        raise EvaluationError(f"{written[:40]!r} is not an ISO 8601 time") from None
    fraction = _FRACTION.search(written)
    return found if found.tzinfo else found.replace(tzinfo=UTC), len(fraction[1]) if fraction else 0


def written(when: datetime, digits: int = 0) -> str:
    """As ISO 8601 with the given digits of a second's fraction; UTC ends in Z."""
    offset = "Z" if not when.utcoffset() else when.isoformat()[-6:]
    fraction = f".{when.microsecond:06d}0"[: digits + 1] if digits else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}{offset}"


def duration(value: Json) -> timedelta:
    """An ISO 8601 duration; a year counts 365 days and a month 30, as .NET reads them."""
    found = _DURATION.fullmatch(expect_text(value, null=None)[:_LONGEST])
    if found is None or not any(found[name] for name in (*_DAYS, "hours", "minutes", "seconds")):
        raise EvaluationError(f"{value!r} is not an ISO 8601 duration")
    span = timedelta(
        days=sum(int(found[name] or 0) * days for name, days in _DAYS.items()),
        hours=int(found["hours"] or 0),
        minutes=int(found["minutes"] or 0),
        seconds=float(found["seconds"] or 0),
    )
    return -span if found["sign"] else span


def add_days(value: Json, days: Json) -> str:
    """The time so many days later."""
    when, digits = moment(value)
    return written(when + timedelta(days=expect_integer(days)), digits)


def date_time_add(value: Json, span: Json, format_: Json = None) -> str:
    """The time a duration later, in the given .NET format."""
    when, digits = moment(value)
    later = when + duration(span)
    return written(later, digits) if format_ is None else formatted(later, expect_text(format_))


def date_time_from_epoch(value: Json) -> str:
    """Seconds since 1970 as a time."""
    return written(datetime.fromtimestamp(expect_integer(value), UTC))


def date_time_to_epoch(value: Json) -> int:
    """A time as seconds since 1970."""
    return int(moment(value)[0].timestamp())


_PATTERN = re.compile(r"'[^']*'|yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|f{1,7}|tt|zzz|K|\\.")
_WRITERS: dict[str, Callable[[datetime], str]] = {
    "yyyy": lambda when: f"{when.year:04d}",
    "yy": lambda when: f"{when.year % 100:02d}",
    "MMMM": lambda when: f"{when:%B}",
    "MMM": lambda when: f"{when:%b}",
    "MM": lambda when: f"{when.month:02d}",
    "M": lambda when: str(when.month),
    "dddd": lambda when: f"{when:%A}",
    "ddd": lambda when: f"{when:%a}",
    "dd": lambda when: f"{when.day:02d}",
    "d": lambda when: str(when.day),
    "HH": lambda when: f"{when.hour:02d}",
    "H": lambda when: str(when.hour),
    "hh": lambda when: f"{when:%I}",
    "h": lambda when: str(int(f"{when:%I}")),
    "mm": lambda when: f"{when.minute:02d}",
    "m": lambda when: str(when.minute),
    "ss": lambda when: f"{when.second:02d}",
    "s": lambda when: str(when.second),
    "tt": lambda when: f"{when:%p}",
    "zzz": lambda when: when.isoformat()[-6:],
    "K": lambda when: written(when)[19:],
}
_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
}


def formatted(when: datetime, pattern: str) -> str:
    """A time in a .NET standard or custom format (the invariant culture)."""

    def write(found: re.Match[str]) -> str:
        code = found[0]
        if code[0] in "'\\":
            return code[1:].rstrip("'")
        return f"{when.microsecond:06d}0"[: len(code)] if code[0] == "f" else _WRITERS[code](when)

    return _PATTERN.sub(write, _STANDARD.get(pattern, pattern)[:200])


DATE: dict[str, tuple[Callable[..., Json], int, int | None]] = {
    "addDays": (add_days, 2, 2),
    "dateTimeAdd": (date_time_add, 2, 3),
    "dateTimeFromEpoch": (date_time_from_epoch, 1, 1),
    "dateTimeToEpoch": (date_time_to_epoch, 1, 1),
}
