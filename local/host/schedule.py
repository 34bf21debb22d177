"""Schedules of timer triggers: NCRONTAB expressions of five or six fields, and constant intervals."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

from local.host.setting import SettingError, parse_time_span

_FIELD_COUNT = 6
_DAY, _WEEKDAY = 3, 5

Schedule = Callable[[datetime], datetime]
"""The first occurrence after a time; UTC."""


def parse_schedule(text: str) -> Schedule:
    """Parse a schedule, `{second} {minute} {hour} {day} {month} {day-of-week}` or `hh:mm:ss`.

    With both a day and a day of the week, both must hold. SettingError when the text has neither form, or is never due.
    Source: "Timer trigger for Azure Functions", NCRONTAB expressions.
    """
    if ":" in text:
        return _interval(text)
    fields = text.split()
    fields = ["0", *fields] if len(fields) == _FIELD_COUNT - 1 else fields
    alternatives = [" ".join(fields)]
    if len(fields) == _FIELD_COUNT and fields[_DAY] != "*" and fields[_WEEKDAY] != "*":
        # cronsim takes either of two day fields, as cron does. NCRONTAB wants both: what two schedules have in common.
        alternatives = [_with_star(fields, _WEEKDAY), _with_star(fields, _DAY)]

    def following(moment: datetime) -> datetime:
        schedules = [CronSim(each, moment.astimezone(UTC)) for each in alternatives]
        heads = [next(each) for each in schedules]
        # Those behind catch up with the latest, until all agree on a time; StopIteration when one has no more.
        while min(heads) != (latest := max(heads)):
            heads = [head if head == latest else next(each) for head, each in zip(heads, schedules, strict=True)]
        return heads[0]

    try:
        # Tried once, so that an expression that is wrong or never due fails at the start.
        following(datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, StopIteration) as error:
        raise SettingError(f"'{text}' is not a schedule like '0 30 2 * * *': {error or 'it is never due'}") from error
    return following


def _interval(text: str) -> Schedule:
    try:
        length = parse_time_span(text)
    except ValueError as error:
        raise SettingError(f"'{text}' is not a schedule: {error}") from error
    if length <= timedelta(0):
        raise SettingError(f"'{text}' is not a schedule: the interval must be longer than zero")
    return lambda moment: moment.astimezone(UTC) + length


def _with_star(fields: list[str], at: int) -> str:
    return " ".join([*fields[:at], "*", *fields[at + 1 :]])
