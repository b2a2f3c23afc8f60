"""JSON bodies of requests."""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.errors import Invalid, TooLarge, WrongMediaType

LARGEST_BODY = 64 * 1024  # bytes of anything but an upload


async def read_json(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """The object that the body holds; {} for no body where it is `optional`.

    Raises `WrongMediaType`, `TooLarge`, `Invalid` where it is no object, and HTTP 400 where it is no JSON.
    """
    body = await request.body()
    if optional and not body:
        return {}
    # A form of another site can send text/plain without asking first, but not this (OWASP ASVS 5.0, 3.5.2).
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise WrongMediaType("Send the body as application/json.")
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"A JSON body may have {LARGEST_BODY:,} bytes.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"The body is not valid JSON: {error}.") from error
    if not isinstance(value, dict):
        raise Invalid("The body must be a JSON object.")
    return value


def text_fields(body: dict[str, Any], *names: str) -> list[str]:
    """The values of `names`, which must all be there and be text. Raises `Invalid` that names each one that is not."""
    fields = {name: "Give this as text." for name in names if not isinstance(body.get(name), str)}
    if fields:
        raise Invalid("Some fields are missing or are not text.", fields=fields)
    return [body[name] for name in names]
