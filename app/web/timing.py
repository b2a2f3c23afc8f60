"""When to start, as the start form asks it: now, at a time, or again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app.errors import Invalid
from app.schedules.model import Missed
from app.schedules.times import local, zone_of

# How often, each with what it is as a cron expression at a time of day.
OFTEN: Final = {
    "hour": ("Every hour", "{minute} * * * *"),
    "day": ("Every day", "{minute} {hour} * * *"),
    "weekday": ("Monday to Friday", "{minute} {hour} * * MON-FRI"),
    "monday": ("Every Monday", "{minute} {hour} * * MON"),
    "month": ("On the 1st of a month", "{minute} {hour} 1 * *"),
    "cron": ("A cron expression", ""),
}
WHEN: Final = {"now": "Now", "at": "At a time", "often": "By schedule"}
FIELDS: Final = ("at", "cron", "zone", "missed", "clock")  # that can be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What was chosen, as typed; and what is wrong with it, by field."""

    when: str = "now"
    at: str = ""
    often: str = "day"
    clock: str = "09:00"
    cron: str = ""
    zone: str = "UTC"
    missed: str = Missed.RUN_ONCE.value
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def sent(cls, texts: Mapping[str, Sequence[str]], errors: Mapping[str, str] | None = None) -> "Timing":
        """What came back with the form."""
        usual = cls()
        names = ("when", "at", "often", "clock", "cron", "zone", "missed")
        values = {name: texts[name][-1].strip() if texts.get(name) else getattr(usual, name) for name in names}
        wrong = {name: text for name, text in (errors or {}).items() if name in FIELDS}
        return cls(**{**values, "when": values["when"] if values["when"] in WHEN else "now"}, errors=wrong)

    def run_at(self) -> datetime | None:
        """Before when it is not to start; None for now. Raises `Invalid`."""
        if self.when != "at":
            return None
        try:
            at = local(datetime.fromisoformat(self.at).replace(tzinfo=None), zone_of(self.zone))
        except (ValueError, OverflowError) as error:
            wrong = {"zone": str(error)} if "time zone" in str(error) else {"at": "takes a date and a time"}
            raise Invalid(fields=wrong) from None
        if at.replace(second=59) < datetime.now(UTC):
            raise Invalid(fields={"at": "has passed"})
        return at

    def plan(self) -> dict[str, Any]:
        """What makes it a schedule, as `app.schedules.commands.Plan` has it. Raises `Invalid`."""
        if self.often not in OFTEN or self.missed not in set(Missed):
            raise Invalid(fields={"cron": "takes one of the choices"})
        return {"cron": self._expression(), "zone": self.zone, "missed": Missed(self.missed)}

    def _expression(self) -> str:
        if self.often == "cron":
            return self.cron
        hour, _, minute = self.clock.partition(":")
        if not (hour.isdecimal() and minute[:2].isdecimal() and int(hour) < 24 and int(minute[:2]) < 60):
            raise Invalid(fields={"clock": "takes a time of day, such as 09:00"})
        return OFTEN[self.often][1].format(hour=int(hour), minute=int(minute[:2]))
