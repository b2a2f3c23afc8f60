"""Shell commands that do what a page does."""

import shlex
from collections.abc import Mapping
from typing import Any

import orjson


def shell(origin: str, username: str, workload: str, params: Mapping[str, Any]) -> str:
    """Sign in, start a task, look at it: with curl, ready to paste once the password is put in."""
    who = orjson.dumps({"username": username, "password": "PASSWORD"}).decode()
    what = orjson.dumps({"workload": workload, "params": params}).decode()
    return (
        f"# once: sign in, the cookie goes to a file\n"
        f"curl -c cookies -H 'Content-Type: application/json' -d {shlex.quote(who)} {origin}/api/v1/session\n\n"
        f"# start a task; the answer has its id and links\n"
        f"curl -b cookies -H 'Content-Type: application/json' -d {shlex.quote(what)} {origin}/api/v1/tasks"
    )
