"""Every URL on one screen."""

from typing import Final

from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from app.web import (
    about,
    account,
    account_pages,
    api,
    asyncapi,
    files_api,
    health,
    live,
    openapi,
    pages,
    run_logs,
    schedule_pages,
    schedules_api,
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
        Route(f"{API}/tasks/{{id}}/log", run_logs.download),
        Route(f"{API}/tasks/{{id}}/log/lines", run_logs.lines),
        Route(f"{API}/tasks/{{id}}/chain", api.task_chain),
        Route(f"{API}/tasks/{{id}}/artifacts/{{name}}", files_api.get_artifact),
        Route(f"{API}/files", files_api.create_file, methods=["POST"]),
        Route(f"{API}/files", files_api.list_files),
        Route(f"{API}/files/{{id}}", files_api.get_file),
        Route(f"{API}/files/{{id}}", files_api.delete_file, methods=["DELETE"]),
        Route(f"{API}/files/{{id}}/content", files_api.get_content),
        Route(f"{API}/schedules", schedules_api.create_schedule, methods=["POST"]),
        Route(f"{API}/schedules", schedules_api.list_schedules),
        Route(f"{API}/schedules/{{id}}", schedules_api.get_schedule),
        Route(f"{API}/schedules/{{id}}", schedules_api.change_schedule, methods=["PATCH"]),
        Route(f"{API}/schedules/{{id}}", schedules_api.delete_schedule, methods=["DELETE"]),
        Route(f"{API}/schedules/{{id}}/runs", schedules_api.list_runs),
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
        Route("/schedules", schedule_pages.schedules),
        Route("/schedules/{id}/pause", schedule_pages.pause, methods=["POST"]),
        Route("/schedules/{id}/resume", schedule_pages.resume, methods=["POST"]),
        Route("/schedules/{id}/delete", schedule_pages.delete, methods=["POST"]),
        Route("/account", account.account),
        Route("/account/files/{id}/delete", account.delete_file, methods=["POST"]),
        Route("/docs", pages.docs),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", health.metrics),
    ]
