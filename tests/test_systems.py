"""docs/systems.md: every system has a command that a test marked `systems` runs to its end."""

import re
from pathlib import Path

import pytest

from tests.systems import PAGE, commands

TESTS = Path(__file__).parent
RUN = re.compile(r'(?:command_of|run_and_report)\("([\w-]+)"')


def rows() -> list[str]:
    return [
        line for line in PAGE.read_text("utf-8").splitlines() if "arXiv:" in line and line[0] == "|"
    ]


def test_every_system_has_a_command_that_a_marked_test_runs() -> None:
    run = set[str]()
    for path in TESTS.rglob("test_*.py"):
        text = path.read_text("utf-8")
        if suites := RUN.findall(text):
            assert "pytest.mark.systems" in text, path
            run.update(suites)
    assert {Path(command[1]).stem for command in commands()} == run
    for row in rows():
        assert "`omnibench run " in row, row


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split(" (")[0].removeprefix("| "))
def test_a_row_says_what_was_taken_what_it_costs_and_what_is_not_reproduced(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells)
    assert re.search(r"\d+ s", cells[3])
