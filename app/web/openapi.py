"""The OpenAPI document."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.version import VERSION
from app.web.api import json


def openapi() -> dict[str, Any]:
    """The document."""
    return {"openapi": "3.1.0", "info": {"title": "Taskline", "version": VERSION}, "paths": {}}


async def document(request: Request) -> Response:
    """`GET /openapi.json`."""
    return json(request.app.state.openapi)
