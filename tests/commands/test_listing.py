"""`list`: names for people, cards for programs."""

import json
import sys

import pytest

from omnibench.catalogue import tasks
from omnibench.commands.listing import KINDS
from omnibench.scoring import reported_of
from tests.conftest import Bench


def test_tasks_and_suites_are_listed_with_names_in_full(bench: Bench) -> None:
    out = bench("list", "tasks")[1]
    for name in tasks:
        for adaptation in tasks.get(name).adaptations:
            assert adaptation in out
        for metric in reported_of(name):
            assert metric in out
    (row,) = [line for line in bench("list", "suites")[1].splitlines() if line.startswith("demo ")]
    assert "random-vit-nano" in row
    assert "mni152" in row


def test_the_cells_of_a_listed_suite_are_those_of_its_plan(bench: Bench) -> None:
    cards = {card["name"]: card for card in json.loads(bench("list", "suites", "--json")[1])}
    plan = json.loads(bench("plan", "omnirad", "--json")[1])
    assert cards["omnirad"]["cells"] == len(plan["cells"])
    assert set(cards["omnirad"]["tasks"]) == {cell["task"] for cell in plan["cells"]}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [60, 100])
def test_a_list_fits_the_terminal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    out = bench("list", kind)[1]
    assert 0 < max(map(len, out.splitlines())) <= width
