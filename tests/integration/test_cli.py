"""The command line: what it refuses, and what it says then."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from app.db import open_database
from app.migrate import upgrade
from app.settings import Settings
from tests.integration.processes import taskline
from tests.servers import ServerError


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, Any]:
    return {"database_url": database_url, "data_dir": str(tmp_path)}


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_an_empty_database_is_refused_with_the_command_to_run(command: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match=r"(?s)ended with 1:.*taskline migrate"):
        taskline(command, **settings)


@pytest.mark.parametrize("command", ["serve", "worker"])
async def test_another_schema_is_refused_with_both_versions(command: str, settings: dict[str, Any]) -> None:
    await upgrade(settings["database_url"])
    db = open_database(settings["database_url"])
    await db.connect()
    await db.execute("UPDATE alembic_version SET version_num = '0000'")
    await db.disconnect()
    with pytest.raises(ServerError, match=r"(?s)ended with 1:.*at 0000, this version needs \d{4}.*taskline migrate"):
        await asyncio.to_thread(taskline, command, **settings)


def test_migrate_writes_the_catalogue_and_may_run_again(settings: dict[str, Any]) -> None:
    taskline("migrate", **settings)
    taskline("migrate", **settings)
    with pytest.raises(ServerError) as caught:
        taskline("doctor", **settings)
    assert "ok       database" in str(caught.value)
    assert "none at work; start one with: taskline worker" in str(caught.value)


@pytest.mark.parametrize("command", ["serve", "worker", "migrate", "dev"])
def test_a_database_that_does_not_answer_is_named(command: str, tmp_path: Path, free_port: int) -> None:
    with pytest.raises(
        ServerError, match=r"(?s)ended with 1:.*[Tt]he database (does not answer|cannot be migrated)"
    ) as caught:
        taskline(
            command,
            database_url=f"postgresql://nobody@127.0.0.1:{free_port}/none",
            data_dir=str(tmp_path),
            port="0",
        )
    assert "Traceback" not in str(caught.value)


def test_migrate_makes_the_data_folder(tmp_path: Path) -> None:
    taskline("migrate", data_dir=str(tmp_path / "not" / "there yet"))
    assert (tmp_path / "not" / "there yet" / "taskline.db").exists()


def test_wrong_settings_are_all_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        taskline("serve", port="many", queue_url="kafka://x", data_dir=str(tmp_path))
    assert "TASKLINE_PORT: got 'many'" in str(caught.value)
    assert "TASKLINE_QUEUE_URL: got 'kafka://x'" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_serving_to_others_without_a_key_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ServerError, match=r"TASKLINE_SECRET_KEY: got 0 characters, takes at least 32"):
        taskline("serve", host="0.0.0.0", **settings)


def test_settings_shows_every_one_and_no_secret(tmp_path: Path) -> None:
    shown = taskline(
        "settings", secret_key="s3cret" * 8, database_url="postgresql://me:hunter22@db/t", data_dir=str(tmp_path)
    )
    assert "s3cret" not in shown
    assert "hunter22" not in shown
    for name in Settings.model_fields:
        assert f"TASKLINE_{name.upper()}=" in shown


def test_help_names_every_command() -> None:
    shown = taskline("--help")
    for command in ("dev", "serve", "worker", "user", "migrate", "doctor", "settings"):
        assert command in shown


@pytest.mark.parametrize("command", ["dev", "serve"])
def test_a_port_that_is_taken_is_named_with_another(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError) as caught:
            taskline(command, port=str(port), data_dir=str(tmp_path))
    assert f"cannot listen on 127.0.0.1:{port}: address already in use" in str(caught.value)
    assert f"PORT={port + 1}" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_accounts_are_made_and_given_roles(settings: dict[str, Any]) -> None:
    taskline("migrate", **settings)
    assert "Nobody has an account yet" in taskline("user", "list", **settings)
    add = ("user", "add", "--password-stdin")
    assert "Ada is an operator now." in taskline(*add, "Ada", "--operator", typed="a long walk at night\n", **settings)
    assert "bob is a member now." in taskline(*add, "bob", typed="a short swim at noon\n", **settings)
    for typed, name, said in (
        ("a long walk at night\n", "ADA", "This name is taken"),
        ("short\n", "eve", "Use at least 8 characters"),
    ):
        with pytest.raises(ServerError, match=rf"The account was not made\. {said}"):
            taskline(*add, name, typed=typed, **settings)
    assert "bob is an operator now." in taskline("user", "promote", "BOB", **settings)
    assert "Ada is a member now." in taskline("user", "demote", "ada", **settings)
    listed = [line.split()[:2] for line in taskline("user", "list", **settings).splitlines()]
    assert listed == [["member", "Ada"], ["operator", "bob"]]
    with pytest.raises(ServerError, match=r"There is no user nobody\.\ntaskline user list names everybody"):
        taskline("user", "promote", "nobody", **settings)
