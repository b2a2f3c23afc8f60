"""10,000 operations on one SQLite file, in one process and in two: how many were answered that the database is locked, and how long they took."""

import asyncio
import tempfile
from pathlib import Path

from tests.faults.contention import SHAPES, contend, one_file
from tests.faults.figures import arguments, conditions, write
from tests.servers import Redis, free_port


async def main() -> None:
    chosen = arguments(__doc__, "sqlite", operations=(10_000, "operations of each shape"))
    redis, found = Redis(free_port()), []
    try:
        await asyncio.to_thread(redis.start)
        for shape in SHAPES:
            with tempfile.TemporaryDirectory(prefix="taskline-contention-") as folder:
                async with one_file(shape, Path(folder), redis.url) as deployment:
                    found.append((await contend(deployment, shape, chosen.operations)).report())
    finally:
        await asyncio.to_thread(redis.close)
    for one in found:
        print(one)
    write(chosen.out, {"conditions": conditions(), "shapes": found})


if __name__ == "__main__":
    asyncio.run(main())
