"""The doctor's findings on a service that is well, and on one whose parts are missing."""

from pathlib import Path

from app.migrate import upgrade
from app.ops.doctor import Finding, examine
from app.settings import Settings


async def findings(tmp_path: Path, **environment: str) -> dict[str, Finding]:
    settings = Settings.from_environment(environment, data_dir=tmp_path)
    return {finding.part: finding async for finding in examine(settings)}


async def test_an_empty_database_is_named_with_the_command_that_helps(tmp_path: Path) -> None:
    found = await findings(tmp_path)
    assert not found["database"].well
    assert "taskline migrate" in found["database"].said
    assert "queue" not in found


async def test_each_part_that_does_not_answer_is_named(tmp_path: Path, free_port: int) -> None:
    await upgrade(f"sqlite:///{tmp_path / 'taskline.db'}")
    url = f"127.0.0.1:{free_port}"
    found = await findings(tmp_path, TASKLINE_QUEUE_URL=f"amqp://{url}/", TASKLINE_EVENTS_URL=f"redis://{url}/0")
    assert {part: finding.well for part, finding in found.items()} == {
        "settings": True,
        "database": True,
        "queue": False,
        "events": False,
        "workers": False,
    }


async def test_parts_that_answer_are_well(tmp_path: Path, amqp_url: str, redis_url: str) -> None:
    await upgrade(f"sqlite:///{tmp_path / 'taskline.db'}")
    found = await findings(tmp_path, TASKLINE_QUEUE_URL=amqp_url, TASKLINE_EVENTS_URL=redis_url)
    assert found["queue"].well, found["queue"]
    assert found["events"].well, found["events"]


async def test_settings_that_are_not_safe_to_serve_with_are_named(tmp_path: Path) -> None:
    found = await findings(tmp_path, TASKLINE_HOST="0.0.0.0")
    assert "TASKLINE_SECRET_KEY" in found["settings"].said
