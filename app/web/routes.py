"""Every URL on one screen."""

from typing import Final

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from app.web import (
    about,
    account_pages,
    api,
    asyncapi,
    health,
    live,
    openapi,
    pages,
    session_api,
    stream,
    submit,
    task_pages,
)
from app.web.static import Static

API: Final = "/api/v1"


def routes(static: Static) -> list[BaseRoute]:
    """The table."""
    return [
        # what programs ask most comes first: the table is searched from the top
        Route(f"{API}/tasks", api.create_task, methods=["POST"]),
        Route(f"{API}/tasks", api.list_tasks),
        Route(f"{API}/tasks/{{id}}", api.get_task),
        Route(f"{API}/tasks/{{id}}", api.delete_task, methods=["DELETE"]),
        Route(f"{API}/tasks/{{id}}/cancel", api.cancel_task, methods=["POST"]),
        Route(f"{API}/tasks/{{id}}/retry", api.retry_task, methods=["POST"]),
        Route(f"{API}/tasks/{{id}}/events", api.task_events),
        Route(f"{API}/tasks/{{id}}/artifacts/{{name}}", api.get_artifact),
        Route(f"{API}/files", api.create_file, methods=["POST"]),
        Route(f"{API}/workloads", api.list_workloads),
        Route(f"{API}/events", stream.list_events),
        Route(f"{API}/events/stream", stream.stream_events),
        Route(f"{API}/session", session_api.log_in, methods=["POST"]),
        Route(f"{API}/session", session_api.log_out, methods=["DELETE"]),
        Route(f"{API}/me", session_api.me),
        Route(f"{API}/openapi.json", openapi.document),
        Route(f"{API}/asyncapi.json", asyncapi.document),
        WebSocketRoute("/ws", live.live),
        Mount("/static", static),
        Route("/", pages.home),
        Route("/about", about.about),
        Route("/signup", account_pages.signup_page),
        Route("/signup", account_pages.sign_up, methods=["POST"]),
        Route("/login", account_pages.login_page),
        Route("/login", account_pages.log_in, methods=["POST"]),
        Route("/logout", account_pages.log_out, methods=["POST"]),
        Route("/tasks", pages.tasks),
        Route("/tasks", submit.submit, methods=["POST"]),
        Route("/tasks/{id}", task_pages.task),
        Route("/tasks/{id}/cancel", task_pages.cancel, methods=["POST"]),
        Route("/tasks/{id}/retry", task_pages.retry, methods=["POST"]),
        Route("/tasks/{id}/delete", task_pages.delete, methods=["POST"]),
        Route("/docs", pages.docs),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", health.metrics),
    ]
