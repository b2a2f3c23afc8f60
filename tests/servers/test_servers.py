"""The private servers of the tests: they start, survive what fault tests do to them, and never outlive their process."""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import PostgreSQL, RabbitMQ, Redis, Server
from tests.servers.process import descendants_of

KINDS = ["postgresql", "redis", "rabbitmq"]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    return found


def test_a_killed_server_starts_again_on_the_same_port(server: Server) -> None:
    url = server.url
    server.kill()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", server.port), 1):
        pass
    server.start()
    assert server.running
    assert server.url == url


def test_a_frozen_server_keeps_connections_and_answers_once_thawed(server: Server) -> None:
    server.freeze()
    with socket.create_connection(("127.0.0.1", server.port), 1):
        pass
    server.thaw()
    server.wait_ready()


def test_a_power_cut_and_a_lone_crash_leave_data_that_starts_again(postgresql: PostgreSQL) -> None:
    for end in (postgresql.stop_immediate, postgresql.crash):
        end()
        assert not postgresql.running
        postgresql.start()
        postgresql.drop_database(f"none_{postgresql.port}")


def test_servers_speak_the_urls_of_the_settings(postgresql: PostgreSQL, redis: Redis, rabbitmq: RabbitMQ) -> None:
    assert postgresql.url.startswith("postgresql://")
    assert redis.url.startswith("redis://")
    assert rabbitmq.url.startswith("amqp://")


STARTS_AND_WAITS = """
import sys
from tests.servers import PostgreSQL, RabbitMQ, Redis, free_port
servers = [kind(free_port()) for kind in (PostgreSQL, RabbitMQ, Redis)]
for server in servers:
    server.launch()
for server in servers:
    server.wait_ready()
print(*(server.folder for server in servers), flush=True)
sys.stdin.read()
"""


def test_nothing_outlives_a_killed_test_run(request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-c", STARTS_AND_WAITS]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=request.config.rootpath
    ) as run:
        assert run.stdout
        folders = [Path(word) for word in run.stdout.readline().split()]
        names = {Path(f"/proc/{pid}/comm").read_text().strip() for pid in descendants_of(run.pid)}
        processes = [os.pidfd_open(pid) for pid in descendants_of(run.pid)]
        run.kill()
    assert len(folders) == 3
    assert {"postgres", "redis-server", "beam.smp", "epmd"} <= names
    for process in processes:
        ended, _, _ = select.select([process], [], [], 10)
        os.close(process)
        assert ended
    assert not [folder for folder in folders if folder.exists()]
