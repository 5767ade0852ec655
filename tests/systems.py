"""The commands of docs/systems.md: the test of each system's suite runs its row's."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "systems.md"
COMMAND = re.compile(r"`omnibench (run [^`]+)`")


def commands() -> list[list[str]]:
    """Return the arguments of every command of the table, in its order."""
    return [shlex.split(command) for command in COMMAND.findall(PAGE.read_text("utf-8"))]


def command_of(suite: str) -> list[str]:
    """Return the arguments of the command on a suite, which stands in one row."""
    [arguments] = [command for command in commands() if Path(command[1]).stem == suite]
    return arguments


def run_and_report(suite: str, folder: Path) -> Path:
    """Run a row's command in processes of its own, and report on it; return the results' folder."""
    places = {"OMNIBENCH_RESULTS": str(folder), "OMNIBENCH_DATA": str(folder / "data")}
    run = command_of(suite)
    for arguments in (run, ["report", *run[1:]]):
        done = subprocess.run(
            [sys.executable, "-m", "omnibench", *arguments],
            cwd=ROOT,
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return folder
