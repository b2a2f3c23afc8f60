"""What the command line offers to authors of workloads."""

from workers.authoring.commands import add_commands, run, see_current_folder

__all__ = ["add_commands", "run", "see_current_folder"]
