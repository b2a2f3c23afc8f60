"""When a schedule starts its tasks: a cron expression on the clock of a time zone. Pure.

Summer time, as Debian's cron has it: what stands at a time of day that the clock leaps over starts right after the leap; what stands at a time of day that
comes twice starts the first time; what recurs within the hour follows the time that passes.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

LONGEST_CRON: Final = 100  # characters
MOST_COUNTED: Final = 1_000  # missed times
LATE: Final = timedelta(minutes=1)  # what has not started by then is missed
# The latest instant that is taken: before the end of the calendar in every zone.
FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@functools.cache
def zones() -> frozenset[str]:
    """The names of the IANA time zones that are known here."""
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo:
    """Raises `ValueError` for a name that is none."""
    if name not in zones():
        raise ValueError("is not a time zone; takes a name such as Europe/Berlin or UTC")
    return ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A cron expression of five fields on the clock of `zone`."""

    cron: str
    zone: ZoneInfo

    @classmethod
    def of(cls, cron: str, zone: ZoneInfo) -> "Recurrence":
        """Raises `ValueError` for an expression that is none, or that never comes."""
        if len(cron) > LONGEST_CRON or len(cron.split()) != 5:
            raise ValueError(
                "takes five fields: minute, hour, day of month, month, day of week; such as 0 9 * * MON-FRI"
            )
        try:
            made = cls(" ".join(cron.split()), zone)
            if made.after(datetime(2000, 1, 1, tzinfo=UTC)) is None:
                raise ValueError("names a day that never comes")
        except CronSimError as error:
            raise ValueError(f"is not a cron expression: {str(error).lower()}") from None
        return made

    def after(self, instant: datetime) -> datetime | None:
        """The first time later than `instant`, in UTC; None where there is none any more."""
        return next(iter(self.upcoming(instant, 1)), None)

    def upcoming(self, instant: datetime, count: int) -> list[datetime]:
        """The next `count` times later than `instant`, in UTC."""
        return self._times(instant, count, reverse=False)

    def latest(self, instant: datetime) -> datetime:
        """The last time that is not later than `instant`, in UTC."""
        return self._times(instant + timedelta(seconds=1), 1, reverse=True)[0]

    def words(self) -> str:
        """In English: "At 09:00 on Monday through Friday"."""
        return CronSim(self.cron, datetime.now(self.zone)).explain()

    def _times(self, instant: datetime, count: int, *, reverse: bool) -> list[datetime]:
        found = CronSim(self.cron, instant.astimezone(self.zone), reverse=reverse)
        times = []
        for _ in range(count):
            try:
                at = next(found).astimezone(UTC)
            except (StopIteration, OverflowError):
                break
            if at >= FOREVER:
                break
            times.append(at)
        return times


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do about a schedule of which a time has come."""

    at: datetime  # the newest time that has come
    starts: bool  # whether a task starts for it
    missed: int  # times that have come, up to `MOST_COUNTED`, for which none does
    following: datetime | None  # the next time; None at the end


def turn(due: datetime, now: datetime, recurrence: Recurrence | None, *, make_up: bool) -> Turn:
    """`due` has come by `now`. Where nothing could start for longer than `LATE`, `make_up` says whether one task makes up for what was missed."""
    if recurrence is None:
        starts = make_up or now - due <= LATE
        return Turn(due, starts, 0 if starts else 1, None)
    newest, count = due, 1
    for at in recurrence.upcoming(due, MOST_COUNTED):
        if at > now:
            break
        newest, count = at, count + 1
    if count > MOST_COUNTED:
        newest = recurrence.latest(now)
    starts = make_up or now - newest <= LATE
    return Turn(newest, starts, min(count - starts, MOST_COUNTED), recurrence.after(now))


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """A time of day without a zone, as the clock of `zone` shows it, in UTC: the first one where it comes twice, an hour later where the clock leaps over it."""
    return at.replace(tzinfo=zone, fold=0).astimezone(UTC)
