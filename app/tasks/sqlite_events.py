"""How every move on SQLite ends, in its transaction: the streams of the moved rows are bumped, and one event each is appended."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson

from app.db import moment
from app.db.sqlite import Run
from app.errors import Unstorable
from app.tasks.document import CARD
from app.tasks.model import Event

_SPECIAL: Final = {"progress": "json_object('fraction', t.progress, 'message', t.message)", "error": "json(t.error)"}
_FIELDS: Final = ", ".join(f"'{name}', {_SPECIAL.get(name, 't.' + name)}" for name in CARD)
_CARD: Final = f"json_object({_FIELDS})"


def append(
    run: Run, rows: Sequence[Any], now: datetime, kind: Callable[[Any], str], *, card: str = _CARD
) -> list[Event]:
    """Bump the streams of the moved rows and append one event each, in the order of (user, task)."""
    if not rows:
        return []
    counts = Counter(row["user_id"] for row in rows)
    bump = """UPDATE streams SET seq = seq + i.value FROM json_each(?) i WHERE streams.user_id = CAST(i.key AS integer) RETURNING user_id, seq"""
    heads = {
        row["user_id"]: row["seq"]
        for row in run(bump, orjson.dumps({str(user): n for user, n in counts.items()}).decode())
    }
    if heads.keys() != counts.keys():
        raise Unstorable("The user has no stream of events.")
    ordered = sorted(rows, key=lambda row: (row["user_id"], row["id"]))
    after = {user: heads[user] - n for user, n in counts.items()}
    made = []
    for row in ordered:
        after[row["user_id"]] += 1
        made.append({"id": row["id"], "user_id": row["user_id"], "seq": after[row["user_id"]], "type": kind(row)})
    insert = f"""INSERT INTO events (user_id, seq, at, type, task_id, task)
    SELECT j.value->>'user_id', j.value->>'seq', ?1, j.value->>'type', j.value->>'id', {card}
    FROM json_each(?2) j LEFT JOIN tasks t ON t.id = j.value->>'id' WHERE true RETURNING user_id, seq, at, type, task_id, task"""
    events = run(insert, now, orjson.dumps(made).decode())
    return [Event(r["user_id"], r["seq"], moment(r["at"]), r["type"], UUID(r["task_id"]), r["task"]) for r in events]


def text(at: datetime) -> str:
    """An instant in JSON, as the database has it."""
    return at.isoformat(timespec="microseconds")


def batch(items: Any, *names: str) -> str:
    """Some fields of each item, as the JSON that a statement goes through."""

    def plain(value: Any) -> Any:
        return text(value.astimezone(UTC)) if isinstance(value, datetime) else value

    return orjson.dumps([{name: plain(getattr(item, name)) for name in names} for item in items]).decode()
