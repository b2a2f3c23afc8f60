"""How every move on PostgreSQL ends: the streams are bumped FROM the moved rows, and the events are made of what RETURNING gave."""

from collections.abc import Mapping
from typing import Any, Final

from app.tasks.document import CARD
from app.tasks.model import Event

_SPECIAL: Final = {"progress": "json_build_object('fraction', t.progress, 'message', t.message)"}
_FIELDS: Final = ", ".join(f"'{name}', {_SPECIAL.get(name, 't.' + name)}" for name in CARD)
_CARD: Final = f"json_build_object({_FIELDS})::text"
RETURN: Final = "\nSELECT user_id, seq, at, type, task_id, task, origin FROM e ORDER BY user_id, seq"


def events(kind: str, card: str = _CARD) -> str:
    """The end of a statement whose CTE `t` holds the moved rows: bump the streams, append the events (CTE `e`)."""
    return f"""
u AS MATERIALIZED (SELECT user_id, count(*) AS n FROM t GROUP BY user_id),
l AS MATERIALIZED (SELECT x.user_id FROM streams x WHERE x.user_id IN (SELECT user_id FROM u) ORDER BY x.user_id FOR UPDATE),
s AS (UPDATE streams x SET seq = x.seq + u.n FROM u JOIN l USING (user_id) WHERE x.user_id = u.user_id RETURNING x.user_id, x.seq - u.n AS before),
e AS (INSERT INTO events (user_id, seq, at, type, task_id, task)
  SELECT t.user_id, s.before + row_number() OVER (PARTITION BY t.user_id ORDER BY t.id), clock_timestamp(), {kind}, t.id, {card}
  FROM t LEFT JOIN s USING (user_id) RETURNING user_id, seq, at, type, task_id, task, tableoid AS origin)"""


def event_of(row: Mapping[str, Any]) -> Event:
    """An event as `RETURN` gives it."""
    return Event(row["user_id"], row["seq"], row["at"], row["type"], row["task_id"], row["task"], row["origin"])
