"""Fixtures of every test: real servers, fresh databases, Chromium; and a run that tells what it ran on and refuses to skip."""

import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest

from tests.faults.recovery import RECORDED, table
from tests.servers import S3, STARTED, PostgreSQL, RabbitMQ, Redis
from tests.servers import free_port as find_free_port
from tests.servers.pool import Pool
from tests.servers.programs import find, program

POOL: Final = pytest.StashKey[Pool]()
RAN_ON: Final = pytest.StashKey[set[str]]()  # names with versions


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> PostgreSQL:
    """The run's PostgreSQL. A test that stops it starts it again."""
    return request.config.stash[POOL].ready(PostgreSQL)


@pytest.fixture(scope="session")
def redis(request: pytest.FixtureRequest) -> Redis:
    """The run's Redis. A test that stops it starts it again."""
    return request.config.stash[POOL].ready(Redis)


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> RabbitMQ:
    """The run's RabbitMQ. A test that stops it starts it again."""
    return request.config.stash[POOL].ready(RabbitMQ)


@pytest.fixture(scope="session")
def s3(request: pytest.FixtureRequest) -> S3:
    """The run's S3 endpoint. A test that stops it starts it again, with nothing in it."""
    return request.config.stash[POOL].ready(S3)


@pytest.fixture(scope="session")
def postgresql_url(postgresql: PostgreSQL) -> str:
    """The database that PostgreSQL itself comes with; tables belong into `fresh_database_url`."""
    return postgresql.url


@pytest.fixture(scope="session")
def redis_url(redis: Redis) -> str:
    return redis.url


@pytest.fixture(scope="session")
def amqp_url(rabbitmq: RabbitMQ) -> str:
    return rabbitmq.url


def _database(postgresql: PostgreSQL) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    yield postgresql.create_database(name)
    postgresql.start()  # the test may have stopped it
    postgresql.drop_database(name)


@pytest.fixture
def fresh_database_url(postgresql: PostgreSQL) -> Iterator[str]:
    """An empty PostgreSQL database for one test."""
    yield from _database(postgresql)


@pytest.fixture(scope="module")
def module_database_url(postgresql: PostgreSQL) -> Iterator[str]:
    """An empty PostgreSQL database for the tests of one file."""
    yield from _database(postgresql)


@pytest.fixture
def fresh_sqlite_url(tmp_path: Path) -> str:
    """A SQLite database for one test; the file does not exist yet."""
    return f"sqlite:///{tmp_path / 'taskline.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database for one test, of either kind in turn."""
    return str(request.getfixturevalue("fresh_sqlite_url" if request.param == "sqlite" else "fresh_database_url"))


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Path:
    """The browser, for Playwright's `executable_path`; it needs `--no-sandbox` where root runs it."""
    browser = program("chromium")
    said = subprocess.run([browser, "--version"], capture_output=True, text=True, check=True).stdout
    request.config.stash[RAN_ON].add(" ".join(said.split()[:2]))
    return browser


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return find_free_port()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[POOL] = Pool()
    config.stash[RAN_ON] = set()
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_SideBySide(config))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[POOL].close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """RabbitMQ takes seconds to start: let it start while the first tests run."""
    wanted = any(_on_rabbitmq(item) for item in session.items if isinstance(item, pytest.Function))
    if wanted and not session.config.option.collectonly and find("rabbitmq-server"):
        session.config.stash[POOL].launch(RabbitMQ)


def _on_rabbitmq(item: pytest.Function) -> bool:
    """Whether the test needs the server, by a fixture or, as the choice of a backend, by a parameter."""
    chosen = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return "rabbitmq" in item.fixturenames or any(value == "rabbitmq" for value in chosen)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the servers logged meanwhile."""
    report = yield
    if report.failed:
        report.sections += [(f"Log of {name}", tail) for name, tail in item.config.stash[POOL].logs()]
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[POOL].mark()


class _SideBySide:
    """What the processes of a parallel run tell the one that reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_testnodedown(self, node: Any) -> None:
        """pytest-xdist: a process has ended."""
        told = getattr(node, "workeroutput", {})
        self._config.stash[RAN_ON].update(told.get("ran_on", ()))
        RECORDED.extend(map(tuple, told.get("recoveries", ())))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test proves nothing, so it fails the run."""
    ran_on = session.config.stash[RAN_ON]
    ran_on.update(f"{name} {version}" for name, version in STARTED.items())
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["ran_on"] = sorted(ran_on)
        told["recoveries"] = RECORDED
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ran_on = config.stash[RAN_ON]
    if recoveries := table():
        terminalreporter.write_sep("-", "recovery times")
        terminalreporter.write_line("\n".join(recoveries))
    terminalreporter.write_sep("-", "real servers")
    terminalreporter.write_line(f"Ran on: {', '.join(sorted(ran_on)) or 'none was asked for'}")
    if skipped := _skipped(config):
        terminalreporter.write_line(f"Failed: {skipped} skipped; a test that cannot run is a failure here", red=True)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0
