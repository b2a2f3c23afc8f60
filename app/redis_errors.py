"""What a Redis that is away, or was lost a moment ago, raises."""

from typing import Final

from redis.exceptions import RedisError

# RuntimeError: redis-py writes to a connection that was lost since it looked, and uvloop's transports, other than asyncio's own, say so by that.
REDIS_ERRORS: Final = (RedisError, OSError, TimeoutError, RuntimeError)
