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
Instant = Annotated[datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]


class TaskBody(BaseModel):
    """A task to start."""

    # Ranges stand in the schema alone: the command checks them with the params, and so names every wrong field at once.
    model_config = ConfigDict(extra="forbid", strict=True)
    workload: Text = Field(description="What to run: a name from /api/v1/workloads")
    params: Params = Field({}, description="What to run it with; its schema comes with the workload")
    name: Name | None = Field(None, description="What the task is called; the workload's title where it is left out")
    run_at: Instant | None = Field(None, description="Not to start before this time; a past one is now")
    priority: int = Field(
        0,
        description="Higher ones start first",
        json_schema_extra={"minimum": -MOST_PRIORITY, "maximum": MOST_PRIORITY},
    )


class RetryBody(BaseModel):
    """What to change in the new task; all else is as it was."""

    model_config = ConfigDict(extra="forbid", strict=True)
    params: Params | None = Field(None, description="All params of the new task; those of the ended one where left out")
    name: Name | None = Field(None, description="The new task's name; that of the ended one where left out")


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
