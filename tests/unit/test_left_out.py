"""Who reads what of a plug-in that cannot be loaded: its reason may quote what was never meant for people who only use the service."""

from datetime import UTC, datetime
from uuid import uuid4

from app.accounts.model import Identity
from app.catalogue import LeftOut, Worker
from app.web.about import SEE_THE_LOG, _left_out

NOW = datetime.now(UTC)
WORKER = Worker(
    id=uuid4(),
    host="here",
    pid=1,
    version="1",
    started_at=NOW,
    last_seen_at=NOW,
    workloads={},
    slots={},
    left_out=(LeftOut("bad", "its import raised KeyError: 'token-123'"),),
)


def test_strangers_hear_nothing_people_the_name_and_administrators_the_reason() -> None:
    assert _left_out([WORKER], None) == {}
    assert _left_out([WORKER, WORKER], Identity(1, "ada", "member", b"")) == {"bad": SEE_THE_LOG}
    reason = {"bad": "Its import raised KeyError: 'token-123'."}
    assert _left_out([WORKER], Identity(1, "eve", "operator", b"")) == reason
