"""Users of an earlier version keep what they may do, and nobody of them becomes an operator who was none."""

import asyncio
from datetime import UTC, datetime

from alembic import command

from app.accounts.store import AccountStore
from app.db import open_database
from app.migrate import _config, upgrade


async def test_roles_have_their_present_names(database_url: str) -> None:
    await asyncio.to_thread(command.upgrade, _config(database_url), "0009")
    db = open_database(database_url)
    await db.connect()
    for name, role in (("ada", "user"), ("eve", "admin")):
        sql = "INSERT INTO users (username, username_key, password_hash, role, created_at) VALUES (:name, :name, '', :role, :now)"
        await db.execute(sql, {"name": name, "role": role, "now": datetime.now(UTC)})
    await upgrade(database_url)
    rows = await db.fetch_all("SELECT username, role FROM users ORDER BY username")
    assert [(row["username"], row["role"]) for row in rows] == [("ada", "member"), ("eve", "operator")]
    made = await AccountStore(db).add_user(
        username="bob", key="bob", password_hash="", now=datetime.now(UTC), role="member", first_operates=True
    )
    assert made
    assert made.role == "member", "the first of all was there long before"
    await db.disconnect()
