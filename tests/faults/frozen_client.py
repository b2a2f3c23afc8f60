"""A client that locks what every event of a user needs, and is stopped inside its transaction: `python -m tests.faults.frozen_client URL USER`.

It says "locked" before. When it goes on it tries to write; it ends with status 0 where that was refused.
"""

import asyncio
import os
import signal
import sys

from app.db import open_database
from app.errors import Unavailable


async def _lock(url: str, user: int) -> None:
    db = open_database(url)
    await db.connect()
    async with db.transaction():
        await db.fetch_all("SELECT seq FROM streams WHERE user_id = :user FOR UPDATE", {"user": user})
        print("locked", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        await db.execute("UPDATE streams SET seq = seq + 1 WHERE user_id = :user", {"user": user})


if __name__ == "__main__":
    try:
        asyncio.run(_lock(sys.argv[1], int(sys.argv[2])))
    except Unavailable:
        sys.exit(0)
    sys.exit("its transaction still stood")
