"""Private PostgreSQL, Redis, RabbitMQ and S3 servers on free ports of the loopback address, for the tests and for development."""

from tests.servers.ports import free_port
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import STARTED, Server, ServerError
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.servers.s3 import S3

__all__ = ["S3", "STARTED", "PostgreSQL", "RabbitMQ", "Redis", "Server", "ServerError", "free_port"]
