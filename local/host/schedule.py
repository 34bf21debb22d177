"""Schedules of timer triggers: NCRONTAB expressions of five or six fields, and constant intervals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from local.host.setting import SettingError, span

_FIELDS = 6
_DAY, _WEEKDAY = 3, 5

Schedule = Callable[[datetime], datetime]
"""The first occurrence after a time; UTC."""


def parse(text: str) -> Schedule:
    """The schedule that `{second} {minute} {hour} {day} {month} {day-of-week}` or `hh:mm:ss` describes.

    With both a day and a day of the week, both must hold. SettingError when the text is neither form or never due.
    Source: "Timer trigger for Azure Functions", NCRONTAB expressions.
    """
    if ":" in text:
        return _interval(text)
    fields = text.split()
    fields = ["0", *fields] if len(fields) == _FIELDS - 1 else fields
    alternatives = [" ".join(fields)]
    if len(fields) == _FIELDS and fields[_DAY] != "*" and fields[_WEEKDAY] != "*":
        # cronsim takes two day fields as either-or, as cron does; NCRONTAB wants both.
        alternatives = [_with_star(fields, _WEEKDAY), _with_star(fields, _DAY)]

    def following(moment: datetime) -> datetime:
        return _first_common([CronSim(each, moment.astimezone(UTC)) for each in alternatives])

    try:
        following(datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, StopIteration) as error:
        raise SettingError(f"'{text}' is not a schedule like '0 30 2 * * *': {error or 'it never comes'}") from error
    return following


def _interval(text: str) -> Schedule:
    try:
        length = span(text)
    except ValueError as error:
        raise SettingError(f"'{text}' is not a schedule: {error}") from error
    if length <= timedelta(0):
        raise SettingError(f"'{text}' is not a schedule: the interval must be longer than nothing")
    return lambda moment: moment.astimezone(UTC) + length


def _with_star(fields: list[str], at: int) -> str:
    return " ".join([*fields[:at], "*", *fields[at + 1 :]])


def _first_common(schedules: list[CronSim]) -> datetime:
    """The first moment that all of the ascending schedules have."""
    heads = [next(each) for each in schedules]
    while min(heads) != (latest := max(heads)):
        heads = [head if head == latest else next(each) for head, each in zip(heads, schedules, strict=True)]
    return heads[0]
