"""The web application: `create_app` puts routes and the edge around what the process is made of."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.middleware import Middleware

from app import assets
from app.ops.monitor import Monitor
from app.resources import Resources
from app.version import VERSION
from app.web.errors import HANDLERS
from app.web.middleware import Edge
from app.web.openapi import openapi
from app.web.readers import Readers
from app.web.routes import routes
from app.web.sockets import Sockets
from app.web.static import Static
from app.web.templating import open_templates


def create_app(resources: Resources) -> Starlette:
    """Serve `resources`, which the caller opens before and closes after."""
    settings = resources.settings
    static = Static(assets.static_dir())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with app.state.sockets.watching(), app.state.monitor.watching(), app.state.readers.watching():
            yield

    app = Starlette(
        routes=routes(static),
        middleware=[Middleware(Edge, public_url=settings.public_url, largest_upload=settings.limit_upload)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
    app.state.resources = resources
    app.state.sockets = Sockets(resources.sessions, resources.fanout, most=settings.limit_sockets)
    app.state.monitor = Monitor(
        {"database": resources.db.ping, "queue": resources.queue.ping, "events": resources.fanout.check}
    )
    app.state.readers = Readers(resources.fanout)
    app.state.static = static
    app.state.templates = open_templates(assets.templates_dir(), static, version=VERSION)
    app.state.openapi = openapi()
    return app
