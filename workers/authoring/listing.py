"""What is installed, for the terminal."""

from workers.describe import describe, sources
from workers.description import Description


async def listed(modules: str) -> tuple[str, bool]:
    """The workloads, `modules` with them, those that are left out and what takes long to import; and whether nothing is left out."""
    catalogue = await describe(sources(modules))
    wide = max((len(name) for name in catalogue.workloads), default=0)
    lines = [f"{one.name:<{wide}}  {_sentence(one)} [{one.source}]" for one in catalogue.workloads.values()]
    lines += [f"LEFT OUT  {one.source}: {one.reason}" for one in catalogue.skipped]
    lines += [f"SLOW  {one}" for one in catalogue.heavy]
    return "\n".join(lines), not catalogue.skipped


def _sentence(one: Description) -> str:
    first, stop, _ = " ".join(one.description.split()).partition(". ")
    return f"{first}." if stop else first
