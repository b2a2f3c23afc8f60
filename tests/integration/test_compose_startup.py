"""What `docker compose up` does, done by plain processes: the same secrets, settings, commands and order."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.compose import SERVICES, environment, make_secrets
from tests.servers import PostgreSQL, RabbitMQ, Redis, Server, free_port


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[Path]:
    """The folder of the secrets, once the three servers run with theirs; compose's host names stand for their addresses."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    texts = make_secrets(folder)
    servers: dict[str, Server] = {
        "postgresql:5432": PostgreSQL(free_port(), password=texts["postgresql/password"]),
        "rabbitmq:5672": RabbitMQ(free_port(), config=folder / "rabbitmq"),
        "redis:6379": Redis(free_port(), config=folder / "redis" / "redis.conf"),
    }
    with ExitStack() as stack:
        for address, server in servers.items():
            stack.callback(server.close)
            server.launch()
            for file in (folder / "taskline").iterdir():
                file.write_text(file.read_text().replace(f"@{address}", f"@127.0.0.1:{server.port}"))
        with ThreadPoolExecutor() as pool:
            list(pool.map(Server.wait_ready, servers.values()))
        postgresql = servers["postgresql:5432"]
        assert isinstance(postgresql, PostgreSQL)
        postgresql.create_database(SERVICES["postgresql"]["environment"]["POSTGRES_DB"])
        yield folder


def command(words: list[str]) -> list[str]:
    """A service's words, with the programs of this environment."""
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


def settings(service: str, secrets: Path) -> dict[str, str]:
    """A service's variables, and what the image sets, with this machine's folder and loopback address."""
    image = {"TASKLINE_DATA_DIR": str(secrets.parent / "files"), "TASKLINE_HOST": "127.0.0.1", "TASKLINE_PORT": "0"}
    return {"PATH": os.environ["PATH"], **image, **environment(service, secrets)}


@contextmanager
def running(service: str, secrets: Path) -> Iterator[subprocess.Popen[str]]:
    """A service's process. It is stopped as Docker stops it, and has to end in good order within its grace period."""
    words, log = command(SERVICES[service]["command"]), secrets.parent / f"{service}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            words, env=settings(service, secrets), cwd=secrets.parent, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield process
            process.terminate()
            assert process.wait(float(SERVICES[service]["stop_grace_period"].removesuffix("s"))) == 0, log.read_text()
        finally:
            process.kill()


def check_health(service: str, secrets: Path, address: str = "") -> None:
    """Run a service's own health check once."""
    words = command(SERVICES[service]["healthcheck"]["test"][1:])
    words = [word.replace("http://127.0.0.1:8000", address) for word in words]
    subprocess.run(words, env=settings(service, secrets), cwd=secrets.parent, check=True, timeout=15)


def test_migrate_web_and_worker_do_a_task_with_the_settings_of_compose(secrets: Path) -> None:
    migrate = subprocess.run(
        command(SERVICES["migrate"]["command"]),
        env=settings("migrate", secrets),
        cwd=secrets.parent,
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )
    assert migrate.returncode == 0, migrate.stderr
    with running("web", secrets) as web, running("worker", secrets):
        assert web.stdout
        said = re.search(r"http://\S+", web.stdout.readline())
        assert said, (secrets.parent / "web.log").read_text()
        check_health("web", secrets, said[0])
        check_health("worker", secrets)
        with httpx.Client(base_url=said[0], timeout=30) as person:
            form = {"username": "ada", "password": "a long enough phrase"}
            assert person.post("/signup", data=form).status_code == 303
            task = person.post("/api/v1/tasks", json={"workload": "countdown", "params": {"seconds": 0}})
            assert task.status_code == 202, task.text
            with person.stream("GET", "/api/v1/events/stream?after=0") as events:
                heard = next(line for line in events.iter_lines() if "task.succeeded" in line)
            assert task.json()["id"] in heard
