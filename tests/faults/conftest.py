"""The backends that rows run on, standing deployments for those that need no special settings."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import uuid4

import pytest

from tests.faults.backends import CHOICES, Backends, Choice
from tests.faults.deployment import Deployment
from tests.faults.metronome import METRONOME
from tests.servers import PostgreSQL

Made = Callable[[Choice], Backends]


def _backends(request: pytest.FixtureRequest, choice: Choice, made: dict[str, PostgreSQL]) -> Backends:
    """The URLs of a choice, with a database of its own."""
    if choice == "dev":
        return Backends("dev", "", "memory://", "memory://")
    postgresql: PostgreSQL = request.getfixturevalue("postgresql")
    made[name := f"faults_{uuid4().hex}"] = postgresql
    redis = request.getfixturevalue("redis_url")
    queue = request.getfixturevalue("amqp_url") if choice == "rabbitmq" else redis
    return Backends(choice, postgresql.create_database(name), queue, redis)


@pytest.fixture(scope="session", autouse=True)
def _metronome() -> Iterator[None]:
    """Bounds are stretched by how much slower than at its best the machine is."""
    METRONOME.start()
    yield
    METRONOME.stop()


@contextlib.contextmanager
def _databases(request: pytest.FixtureRequest) -> Iterator[Made]:
    made: dict[str, PostgreSQL] = {}
    yield lambda choice: _backends(request, choice, made)
    for name, postgresql in made.items():
        postgresql.start()  # the row may have stopped it
        postgresql.drop_database(name)


@pytest.fixture
def backends_of(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes the backends of a choice, for rows that are about one or two of them; each call gives a new database."""
    with _databases(request) as made:
        yield made


@pytest.fixture(params=CHOICES)
def choice(request: pytest.FixtureRequest) -> Choice:
    """Each of the backends in turn. A row that concerns some of them parametrises `choice` itself, with `indirect=True`."""
    chosen: Choice = request.param
    return chosen


@pytest.fixture
def backends(backends_of: Made, choice: Choice) -> Backends:
    """New backends for one test, for each choice in turn."""
    return backends_of(choice)


@pytest.fixture
async def deployment(backends: Backends) -> AsyncIterator[Deployment]:
    """A migrated deployment for one test, for each choice in turn, without any process yet."""
    async with Deployment(backends) as made:
        yield made


@pytest.fixture(scope="session")
async def _standing(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[Choice], Awaitable[Deployment]]]:
    async with contextlib.AsyncExitStack() as stack:
        made = stack.enter_context(_databases(request))
        found: dict[Choice, Deployment] = {}

        async def standing(choice: Choice) -> Deployment:
            if choice not in found:
                found[choice] = await stack.enter_async_context(Deployment(made(choice)))
                await found[choice].both()
            await found[choice].revive()
            return found[choice]

        yield standing


@pytest.fixture
async def standing(choice: Choice, _standing: Callable[[Choice], Awaitable[Deployment]]) -> Deployment:
    """The deployment of a choice that all rows without special settings share: one web process and one worker, running whatever the row before did to them."""
    return await _standing(choice)
