"""Fixtures of every test: real servers, fresh databases, Chromium; and a run that tells what it ran on and refuses to skip."""

import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from tests.servers import STARTED, PostgreSQL, RabbitMQ, Redis
from tests.servers import free_port as find_free_port
from tests.servers.pool import Pool
from tests.servers.programs import find, program

POOL: Final = pytest.StashKey[Pool]()
BROWSER: Final = pytest.StashKey[Path]()


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
    request.config.stash[BROWSER] = browser = program("chromium")
    return browser


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    return find_free_port()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[POOL] = Pool()


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[POOL].close()


def pytest_collection_finish(session: pytest.Session) -> None:
    """RabbitMQ takes seconds to start: let it start while the first tests run."""
    wanted = any("rabbitmq" in item.fixturenames for item in session.items if isinstance(item, pytest.Function))
    if wanted and not session.config.option.collectonly and find("rabbitmq-server"):
        session.config.stash[POOL].launch(RabbitMQ)


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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test proves nothing, so it fails the run."""
    if _skipped(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ran_on = [f"{name} {version}" for name, version in STARTED.items()]
    if browser := config.stash.get(BROWSER, None):
        said = subprocess.run([browser, "--version"], capture_output=True, text=True, check=True).stdout
        ran_on.append(" ".join(said.split()[:2]))
    terminalreporter.write_sep("-", "real servers")
    terminalreporter.write_line(f"Ran on: {', '.join(ran_on) or 'none was asked for'}")
    if skipped := _skipped(config):
        terminalreporter.write_line(f"Failed: {skipped} skipped; a test that cannot run is a failure here", red=True)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0
