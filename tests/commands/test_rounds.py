"""`run --until-decided` on records made without training: when it stops, and what it says."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cell import Unit
from omnibench.commands.options import RunOptions
from omnibench.commands.rounds import rounds
from omnibench.commands.running import Run
from omnibench.errors import RequestError, StoreError
from omnibench.record import blank
from omnibench.scoring import score
from omnibench.session import Places, Session
from omnibench.states import Filters, states
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")

SUITE = """
name: rounds
repetitions: {repetitions}
backbones: [{{id: base, source: 'random:test_vit'}}, {{id: rival, source: 'random:test_vit@1'}}]
matrix: [{{task: classification, datasets: [phantom], adaptations: [{adaptations}]}}]
report: {{{report}}}
"""
CASES = 400
LABELS = np.arange(CASES) % 3
Signals = Mapping[tuple[str, str], tuple[float, float]]  # backbone, adaptation -> mean, run's SD


class Lab:
    """A suite, and a machine that makes records of any signal."""

    def __init__(self, folder: Path, signals: Signals) -> None:
        self.folder, self.signals = folder, signals
        self.path = folder / "rounds.yaml"
        self.told = list[str]()
        self.write()

    def write(self, repetitions: int = 3, report: str = "baseline: base") -> None:
        adaptations = ", ".join(dict.fromkeys(adaptation for _, adaptation in self.signals))
        self.path.write_text(
            SUITE.format(repetitions=repetitions, adaptations=adaptations, report=report)
        )

    @property
    def session(self) -> Session:
        return Session.open(Places(results=self.folder / "results", data=self.folder / "data"))

    def fill(self, run: Run, leave: int = 0) -> None:
        """Write what is pending, but for so many units."""
        for unit in run.pending[: len(run.pending) - leave]:
            self._fill(unit, run)

    def _fill(self, unit: Unit, run: Run) -> None:
        mean, spread = self.signals[unit.backbone.id, unit.adaptation]
        own = np.random.default_rng(len(unit.backbone.id)).normal(size=(CASES, 3))
        for cell in unit.cells:
            rng = np.random.default_rng([cell.repetition, len(unit.backbone.id)])
            signal = mean + spread * rng.normal()
            logits = own + 0.3 * rng.normal(size=(CASES, 3)) + signal * np.eye(3)[LABELS]
            predictions: Any = {
                **{"test_logits": logits.astype(np.float32), "test_labels": LABELS},
                "test_case": np.arange(CASES),
            }
            metrics = score("classification", predictions)
            times = {"started": "2026", "finished": "2026"}
            record = {**blank(cell), "status": "done", "metrics": metrics, "digests": {}, **times}
            run.session.store.write(cell, record, predictions)

    def run(self, most: int | None = None, filters: Filters | None = None, leave: int = 0) -> int:
        """Run until it stops; returns how many rounds there were."""
        options = RunOptions(until_decided=True, max_repetitions=most)
        count = 0
        for run in rounds(
            str(self.path), filters or Filters(), self.session, options, self.told.append
        ):
            self.fill(run, leave)
            count += 1
        return count

    def family(self, adaptation: str) -> dict[str, Any]:
        content = json.loads((self.folder / "results/monitoring/rounds.json").read_text())
        family: dict[str, Any] = content["families"][f"classification/phantom/{adaptation}"]
        return family


CLEAR: Signals = {("base", "full"): (1.0, 0.02), ("rival", "full"): (3.0, 0.02)}
CLOSE: Signals = {("base", "full"): (1.2, 0.5), ("rival", "full"): (1.5, 0.5)}


def test_a_clear_difference_stops_at_the_first_look(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CLEAR)
    assert lab.run() == 1
    assert (lab.family("full")["repetitions"], lab.family("full")["state"]) == (3, "decided")
    assert lab.told == ["classification/phantom/full: all decided, at 3 of up to 10 repetitions"]


def test_a_close_one_goes_on_and_a_frozen_one_stops_where_it_can_not_be_decided(
    tmp_path: Path, bench: Bench
) -> None:
    same: Signals = {("base", "linear"): (1.0, 0.001), ("rival", "linear"): (1.05, 0.001)}
    lab = Lab(tmp_path, {**CLOSE, **same})
    assert lab.run(most=12) > 1
    assert lab.family("full")["repetitions"] > 3
    assert lab.family("linear") == {
        "repetitions": 3, "looks": [3, 5, 8, 10, 12], "state": "hopeless",
    }  # fmt: skip
    # Every command takes the suite with these repetitions, and p allows for the looks.
    _, units = lab.session.suite(str(lab.path))
    assert {len(unit.repetitions) for unit in units} == {3, lab.family("full")["repetitions"]}
    places = ("--results", tmp_path / "results", "--data", tmp_path / "data")
    status, out, _ = bench("compare", "rival", "base", "--suite", lab.path, "--json", *places)
    [row] = [r for r in json.loads(out)["rows"] if r["primary"] and r["adaptation"] == "full"]
    assert (status, row["looks"]) == (0, 5)
    assert row["p_corrected"] > row["p"]
    assert bench("report", lab.path, *places)[0] == 0
    report = tmp_path / "results/reports/rounds"
    looks = "and for each of 5 planned looks while runs were added"
    assert looks in (report / "rounds.md").read_text()
    page = (report / "report.html").read_text()
    assert "classification on phantom with linear: given up" in page


def test_an_equivalence_within_the_margin_stops_it(tmp_path: Path) -> None:
    same: Signals = {("base", "full"): (1.0, 0.01), ("rival", "full"): (1.0, 0.01)}
    lab = Lab(tmp_path, same)
    lab.write(report="baseline: base, equivalence_margin: 30")
    assert lab.run() == 1
    assert lab.family("full")["state"] == "decided"


def test_what_was_stopped_goes_on_with_the_same_looks(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CLOSE)
    options = RunOptions(until_decided=True, max_repetitions=8)
    for run in rounds(str(lab.path), Filters(), lab.session, options, lab.told.append):
        lab.fill(run)
        break  # as after a kill: nothing was looked at
    assert lab.family("full")["repetitions"] == 3
    lab.run()
    ended = lab.family("full")
    (tmp_path / "other").mkdir()
    other = Lab(tmp_path / "other", CLOSE)
    other.run(most=8)
    assert ended == other.family("full")
    with pytest.raises(RequestError, match="was begun with 8 in these results"):
        lab.run(most=9)


def test_a_family_that_is_not_whole_is_not_looked_at(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CLEAR)
    assert lab.run(leave=1) == 1
    assert lab.family("full")["state"] == "open"
    assert lab.run() == 1
    assert lab.family("full")["state"] == "decided"


def test_a_later_run_without_rounds_keeps_the_repetitions(tmp_path: Path) -> None:
    lab = Lab(tmp_path, CLOSE)
    lab.run(most=6)
    count = lab.family("full")["repetitions"]
    _, units = lab.session.suite(str(lab.path))
    cells = states(units, lab.session.store)
    assert len(cells) == 2 * count
    assert {state.state for state in cells} == {"done"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"report": ""}, "names no baseline to decide against"),
        ({"repetitions": 1}, "asks for single repetitions alone"),
        ({"repetitions": 11}, "asks for 11 repetitions already; give 11 or more"),
    ],
)
def test_a_suite_that_cannot_be_decided_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    lab = Lab(tmp_path, CLEAR)
    lab.write(**change)
    with pytest.raises(RequestError, match=words):
        lab.run()
    assert not (tmp_path / "results/monitoring").exists()


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, bench: Bench) -> None:
    lab = Lab(tmp_path, CLEAR)
    with pytest.raises(RequestError, match="leave --backbones and --repetitions out"):
        lab.run(filters=Filters(backbones=("base",)))
    for options, words in (
        (("--max-repetitions", "5"), "--max-repetitions is of --until-decided"),
        (("--until-decided", "--engine", "slurm"), "leaves to its queue"),
        (("--until-decided", "--max-repetitions", "101"), "is above 100"),
    ):
        status, _, err = bench("run", lab.path, *options)
        assert (status, words in " ".join(err.split())) == (2, True), err


@pytest.mark.parametrize("content", ["", "[]", '{"most": 5}', '{"most": 5, "families": {"a": 1}}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    lab = Lab(tmp_path, CLEAR)
    (tmp_path / "results/monitoring").mkdir(parents=True)
    (tmp_path / "results/monitoring/rounds.json").write_text(content)
    with pytest.raises(StoreError, match=r"rounds.json is damaged .*; restore it, or delete it"):
        lab.session.suite(str(lab.path))
