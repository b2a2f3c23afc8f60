"""`/api/v1/session` and `/api/v1/me`."""

from starlette.requests import Request
from starlette.responses import Response

from app.web import auth
from app.web.api import json, resources
from app.web.body import read_json, text_fields


async def log_in(request: Request) -> Response:
    """`POST /session`: 201 with the cookie and the user."""
    username, password = text_fields(await read_json(request), "username", "password")
    user = await resources(request).accounts.sign_in(username, password, address=auth.address(request))
    response = json({"id": user.id, "username": user.username, "role": user.role}, 201)
    await auth.start_session(request, response, user)
    return response


async def log_out(request: Request) -> Response:
    """`DELETE /session`: 204, the session has ended."""
    await auth.require(request)
    response = Response(status_code=204)
    await auth.end_session(request, response)
    return response


async def me(request: Request) -> Response:
    """`GET /me`: 200 with the user."""
    identity = await auth.require(request)
    return json({"id": identity.user_id, "username": identity.username, "role": identity.role})
