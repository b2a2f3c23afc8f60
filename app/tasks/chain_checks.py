"""Checking what is to follow on a task, before the task is accepted."""

from collections.abc import Mapping
from typing import Final

from app.catalogue import Catalogue
from app.tasks.chain_plans import MOST_LINKS, Plan, known, links, misused
from app.tasks.params import ParamsChecker

NO_WORKLOAD: Final = "is not one that workers here can run"


async def problems_of_chain(user_id: int, plan: Plan, catalogue: Catalogue, params: ParamsChecker) -> dict[str, str]:
    """What can already be seen to be wrong with a plan, by field: `then.seconds`, `then.then.workload`."""
    found: dict[str, str] = {}
    chain = list(links(plan))
    if len(chain) > MOST_LINKS:
        return {"then": f"has {len(chain)} links; {MOST_LINKS} are the most"}
    for depth, link in enumerate(chain, 1):
        workload = await catalogue.get(link["workload"])
        wrong: Mapping[str, str]
        if workload is None:
            wrong = {"workload": NO_WORKLOAD}
        else:
            given = link.get("params", {})
            told = known(given)
            # What is referred to is there in time, or is not: the start tells.
            later = given.keys() - told.keys()
            told_wrong = await params.problems(user_id, workload, told)
            wrong = {
                **{name: text for name, text in told_wrong.items() if name not in later},
                **misused(given, workload.schema),
            }
        found.update({f"{'then.' * depth}{name}": text for name, text in wrong.items()})
    return found
