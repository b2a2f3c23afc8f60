"""What the suites of this folder share."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.task_databases import Tasks, task_database


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def tasks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Tasks]:
    """One database for a whole file, of either kind in turn. A file whose tests would disturb each other has a fixture of its own."""
    file = tmp_path_factory.mktemp("tasks") / "taskline.db"
    url = f"sqlite:///{file}" if request.param == "sqlite" else str(request.getfixturevalue("module_database_url"))
    async with task_database(url) as made:
        yield made
