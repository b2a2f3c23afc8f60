"""The JSON bodies that calls take, as models: what checks them here is what the OpenAPI document shows."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from app.errors import Invalid
from app.schedules.model import Missed
from app.schedules.times import LONGEST_CRON
from app.tasks.commands import MOST_PRIORITY
from app.tasks.model import LONGEST_NAME

Body = TypeVar("Body", bound=BaseModel)
MOST_NESTED: Final = 50  # lists and objects inside each other
# What pydantic says otherwise, in the words of the other checks.
_SAID: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this call",
    "string_type": "takes text",
    "int_type": "takes a whole number",
    "dict_type": "takes an object",
}


def storable(value: Any) -> Any:
    """`value`, where both databases keep it as it is. Raises `ValueError` for a NUL character, and for what is nested so deep that checks of it recurse for ever."""
    level = [value]
    for _ in range(MOST_NESTED):
        if any("\0" in one for one in level if isinstance(one, str)):
            raise PydanticCustomError("nul", "must not hold a NUL character")
        level = [part for one in level for part in _parts(one)]
        if not level:
            return value
    raise PydanticCustomError("nested", f"must not be nested more than {MOST_NESTED} deep")


def _parts(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return [*value, *value.values()]
        case list():
            return value
        case _:
            return ()


def _instant(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("instant", "takes a time with its zone, such as 2026-11-24T18:00:00Z")


Text = Annotated[str, AfterValidator(storable)]
Name = Annotated[Text, Field(json_schema_extra={"minLength": 1, "maxLength": LONGEST_NAME})]
Params = Annotated[dict[str, Any], AfterValidator(storable)]
Priority = Annotated[int, Field(json_schema_extra={"minimum": -MOST_PRIORITY, "maximum": MOST_PRIORITY})]
Cron = Annotated[Text, Field(json_schema_extra={"maxLength": LONGEST_CRON})]
Zone = Annotated[Text, Field(json_schema_extra={"maxLength": 100})]
Policy = Annotated[Missed, Field(strict=False)]
Instant = Annotated[datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]


class FollowUpBody(BaseModel):
    """What starts when a task succeeds, with what that has made: `{"$artifact": "clean.csv"}` as a file param, `{"$value": "rows"}` as any."""

    model_config = ConfigDict(extra="forbid", strict=True)
    workload: Text = Field(description="What to run: a name from /api/v1/workloads")
    params: Params = Field({}, description="What to run it with, and what it takes from the task before")
    name: Annotated[Text, Field(min_length=1, max_length=LONGEST_NAME)] | None = Field(
        None, description="What the task is called; the workload's title where it is left out"
    )
    priority: int = Field(0, ge=-MOST_PRIORITY, le=MOST_PRIORITY, description="Higher ones start first")
    then: "FollowUpBody | None" = Field(None, description="What starts when this one succeeds")


class TaskBody(BaseModel):
    """A task to start."""

    # Ranges stand in the schema alone: the command checks them with the params, and so names every wrong field at once.
    model_config = ConfigDict(extra="forbid", strict=True)
    workload: Text = Field(description="What to run: a name from /api/v1/workloads")
    params: Params = Field({}, description="What to run it with; its schema comes with the workload")
    name: Name | None = Field(None, description="What the task is called; the workload's title where it is left out")
    run_at: Instant | None = Field(None, description="Not to start before this time; a past one is now")
    priority: Priority = Field(0, description="Higher ones start first")
    then: FollowUpBody | None = Field(None, description="What starts when this one succeeds")

    def fields(self) -> dict[str, Any]:
        """As the command takes them."""
        return {**dict(self), "then": planned(self.then)}


class RetryBody(BaseModel):
    """What to change in the new task; all else is as it was."""

    model_config = ConfigDict(extra="forbid", strict=True)
    params: Params | None = Field(None, description="All params of the new task; those of the ended one where left out")
    name: Name | None = Field(None, description="The new task's name; that of the ended one where left out")


class ScheduleBody(BaseModel):
    """What to start when: at a time, or at the times of a cron expression."""

    model_config = ConfigDict(extra="forbid", strict=True)
    workload: Text = Field(description="What to run: a name from /api/v1/workloads")
    params: Params = Field({}, description="What to run it with")
    name: Name | None = Field(None, description="What its tasks are called; the workload's title where it is left out")
    priority: Priority = 0
    then: FollowUpBody | None = Field(None, description="What starts when a task of it succeeds")
    at: Instant | None = Field(None, description="The one time to start at; else give cron")
    cron: Cron | None = Field(None, description="Minute, hour, day of month, month, day of week: 0 9 * * MON-FRI")
    zone: Zone = Field("UTC", description="The IANA time zone on whose clock cron is read, such as Europe/Berlin")
    missed: Policy = Field(
        Missed.RUN_ONCE, description="What to do about times at which nothing could start for over a minute"
    )

    def fields(self) -> dict[str, Any]:
        """As the command takes them."""
        return {**dict(self), "then": planned(self.then)}


class ScheduleChange(BaseModel):
    """What to change in a schedule; all else stays. cron and at take each other's place."""

    model_config = ConfigDict(extra="forbid", strict=True)
    params: Params | None = None
    name: Name | None = None
    priority: Priority | None = None
    then: FollowUpBody | None = Field(None, description="null: nothing follows any more")
    at: Instant | None = None
    cron: Cron | None = None
    zone: Zone | None = None
    missed: Policy | None = None
    paused: bool | None = Field(None, description="A paused schedule starts nothing, and misses nothing")

    def fields(self) -> dict[str, Any]:
        """What is to change, as the command takes it."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "then"}
        changed = {name: value for name, value in given.items() if value is not None}
        return {**changed, **({"then": planned(self.then)} if "then" in self.model_fields_set else {})}


def planned(follow: FollowUpBody | None) -> dict[str, Any] | None:
    """What follows, as it is stored."""
    return None if follow is None else follow.model_dump(exclude_none=True)


def parsed(kind: type[Body], value: Mapping[str, Any]) -> Body:
    """`value` as a body. Raises `Invalid` that names each field that is wrong."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        fields = {
            ".".join(map(str, item["loc"])): _SAID.get(item["type"], item["msg"])
            for item in error.errors(include_url=False, include_input=False)
        }
        raise Invalid(fields=fields) from None
