"""What a lost connection to Redis raises on the loop that the service runs on."""

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.redis_errors import REDIS_ERRORS


async def write_as_it_is_lost(url: str) -> None:
    """Write to a connection of a pool that goes just after it was looked at."""
    async with Redis.from_url(url) as client:
        connection = await client.connection_pool.get_connection()
        connection._writer.close()
        await connection._writer.wait_closed()
        try:
            await connection.send_packed_command(b"PING\r\n", check_health=False)
        finally:
            await client.connection_pool.release(connection)


def test_a_connection_that_goes_as_it_is_written_to_is_a_redis_that_is_away(redis_url: str) -> None:
    with pytest.raises(REDIS_ERRORS) as raised:
        uvloop.run(write_as_it_is_lost(redis_url))
    assert not isinstance(raised.value, RedisError | OSError), "uvloop says so, not redis-py"
