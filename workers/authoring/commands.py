"""`taskline workload new | run | list`."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path


def add_commands(parser: argparse.ArgumentParser) -> None:
    """The commands below `taskline workload`."""
    commands = parser.add_subparsers(dest="what", required=True)
    new = commands.add_parser("new", help="write a package with a workload and its tests, to begin with")
    new.add_argument(
        "name", metavar="NAME", help="of the package and its workload: lower-case letters, digits, _ and -"
    )
    new.add_argument(
        "--into", type=Path, default=Path(), metavar="FOLDER", help="where its folder goes; here unless said"
    )
    run_one = commands.add_parser("run", help="run a workload in this terminal, without a server")
    run_one.add_argument("name", metavar="NAME", help="of the workload, as `taskline workload list` has it")
    run_one.add_argument("--params", default="{}", metavar="JSON", help="its params, such as '{\"seconds\": 3}'")
    run_one.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="[PARAM=]PATH",
        help="a file for a param that takes one; may be given again",
    )
    run_one.add_argument("--out", type=Path, metavar="FOLDER", help="keep the files that it offers there")
    commands.add_parser("list", help="list the workloads that are installed here, and those that are left out and why")


def run(said: argparse.Namespace, modules: str) -> int:
    """Run one of them, with the workloads of `modules` too; returns the exit status. Raises `TasklineError` for what the author can mend."""
    # A trace has many lines, and its reader has written the code.
    logging.basicConfig(format="%(levelname)s: %(message)s", stream=sys.stderr, level=logging.WARNING, force=True)
    see_current_folder()
    match said.what:
        case "new":
            from workers.authoring.scaffold import scaffold

            print(scaffold(said.name, said.into))
            return 0
        case "run":
            from workers.authoring.terminal import run_here

            return asyncio.run(run_here(said.name, said.params, said.file, said.out, modules))
    from workers.authoring.listing import listed

    text, well = asyncio.run(listed(modules))
    print(text)
    return 0 if well else 1


def see_current_folder() -> None:
    """Let modules of the current folder be found, after everything that is installed."""
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109  entries of the path are texts
        sys.path.append(here)
