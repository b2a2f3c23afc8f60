"""Workers that take only some workloads, and plug-ins that no worker can load: what people, and those who operate the service, read then."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import Service, taskline
from tests.integration.rest import Caller, Json, caller, until
from tests.servers import ServerError

GREETS = """
from taskline import workload


@workload(version={version})
async def greets() -> str:
    \"\"\"Greet.\"\"\"
    return "Hello."
"""
RENAMED = """
from taskline import workload


@workload(version=2, aliases=("greets",))
async def welcomes() -> str:
    \"\"\"Welcome.\"\"\"
    return "Welcome."


@welcomes.upgrade(1)
def unchanged(params: dict) -> dict:
    return params
"""


@contextmanager
def running(service: Service) -> Iterator[Service]:
    try:
        service.start()
        yield service
    finally:
        service.close()


async def said(ada: Caller, task: Json, *words: str) -> str:
    """Why a task waits, once all of these words are in it: who works is known to the web process up to two seconds late."""
    heard = ""

    async def is_said() -> bool:
        nonlocal heard
        wait = (await ada.task(task))["wait"] or {"message": ""}
        heard = wait["message"]
        return all(word in heard for word in words)

    await until(is_said, 60)
    return heard


async def test_each_group_takes_its_own_and_a_task_of_none_says_what_to_start(
    fresh_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "g_greets.py").write_text(GREETS.format(version=1))
    common: dict[str, Any] = {
        "database_url": fresh_database_url,
        "queue_url": redis_url,
        "events_url": redis_url,
        "deployment": "groups",
        "workloads": "g_greets,g_broken",
    }
    (tmp_path / "g_broken.py").write_text("1 / 0")
    taskline("migrate", variables={"PYTHONPATH": str(tmp_path)}, **common)
    with ExitStack() as stack:
        web = stack.enter_context(running(Service("serve", **common)))
        counts = Service("worker", modules=tmp_path, words=["--workloads", "countdown"], **common)
        counts = stack.enter_context(running(counts))
        async with caller(web) as ada:
            greeting = await ada.submit({"workload": "greets"})
            assert (await ada.ended(await ada.submit()))["state"] == "succeeded"
            await said(
                ada, greeting, "No running worker takes greets", "where g_greets is installed", "--workloads greets"
            )
            assert (await ada.get(greeting["links"]["page"])).text.count("taskline worker --workloads greets")
            with running(Service("worker", modules=tmp_path, words=["--workloads=greets"], **common)) as greets:
                assert (await ada.ended(greeting))["summary"] == "Hello."
                assert (await ada.ended(await ada.submit()))["state"] == "succeeded"
                assert (await ada.ended(await ada.submit({"workload": "greets"})))["state"] == "succeeded"
                assert "runs greets\n" in greets.said()

            # A newer release is known already, but its worker is not: then one that cannot load the plug-in at all.
            (tmp_path / "g_greets.py").write_text(GREETS.format(version=2))
            taskline("migrate", variables={"PYTHONPATH": str(tmp_path)}, **common)
            newer = await ada.submit({"workload": "greets"})
            (tmp_path / "g_greets.py").write_text("import nothing_there")
            with running(Service("worker", modules=tmp_path, **common)) as broken:
                await said(ada, newer, "the plug-in g_greets could not be loaded")
                assert "g_greets is left out" in broken.said()
                page = (await ada.get("/about")).text
                assert page.count("A plug-in that is left out") == 2
                assert "nothing_there" not in page
                with pytest.raises(ServerError) as caught:
                    taskline("doctor", **common)
                assert "PROBLEM  plug-in    g_greets is left out by the worker" in str(caught.value)
                assert "No module named 'nothing_there'" in str(caught.value)

            (tmp_path / "g_greets.py").write_text(RENAMED)
            with running(Service("worker", modules=tmp_path, words=["--workloads=greets"], **common)) as renamed:
                assert (await ada.ended(newer))["summary"] == "Welcome."

                async def is_welcome() -> bool:
                    task = await ada.submit({"workload": "greets"})
                    assert (await ada.ended(task))["summary"] == "Welcome."
                    return bool(task["workload"] == "welcomes")

                await until(is_welcome, 60)
                assert "runs welcomes\n" in renamed.said()


def test_a_group_of_what_is_not_there_does_not_start(tmp_path: Path) -> None:
    taskline("migrate", data_dir=str(tmp_path))
    with pytest.raises(ServerError, match=r"(?s)There is no workload cuntdown here.*Did you mean countdown"):
        taskline("worker", "--workloads", "csv_profile,cuntdown", data_dir=str(tmp_path))
