"""The commands of docs/systems.md: the test of each system's suite runs its row's."""

import re
import shlex
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "systems.md"
COMMAND = re.compile(r"`omnibench (run [^`]+)`")


def commands() -> list[list[str]]:
    """Return the arguments of every command of the table, in its order."""
    return [shlex.split(command) for command in COMMAND.findall(PAGE.read_text("utf-8"))]


def command_of(suite: str) -> list[str]:
    """Return the arguments of the command on a suite, which stands in one row."""
    [arguments] = [command for command in commands() if Path(command[1]).stem == suite]
    return arguments
