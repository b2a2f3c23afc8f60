"""Queues: wake-up calls between web and workers, over memory, RabbitMQ or Redis."""

from urllib.parse import urlsplit

from app.queues.base import Slots, TaskQueue, Wake

__all__ = ["Slots", "TaskQueue", "Wake", "open_queue"]


def open_queue(url: str, *, deployment: str) -> TaskQueue:
    """The queue that `url`'s scheme names, not opened yet.

    `deployment` keeps installations on one broker apart. Raises `ValueError` for an unknown scheme.
    """
    # A backend's library is imported only where its scheme is in use.
    match urlsplit(url).scheme:
        case "memory":
            from app.queues.memory import MemoryQueue

            return MemoryQueue()
        case "amqp" | "amqps":
            from app.queues.rabbitmq import RabbitMQQueue

            return RabbitMQQueue(url, deployment=deployment)
        case "redis" | "rediss":
            from app.queues.arq import ArqQueue

            return ArqQueue(url, deployment=deployment)
        case scheme:
            raise ValueError(f"no queue speaks {scheme}://; take memory://, amqp://, amqps://, redis:// or rediss://")
