"""Times to a target from evaluations files made by hand, through tables, CSV and figure."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from matplotlib.figure import Figure as Canvas

from omnibench.record import blank
from omnibench.report.convergence import Converging, converging, read_evaluations
from omnibench.report.convergence_tables import convergence_tables, long_table
from omnibench.report.figures.convergence import convergences
from omnibench.report.figures.looks import Looks
from omnibench.report.names import NO_NAMES
from omnibench.report.table import DASH, Table
from omnibench.states import states
from omnibench.stats.result import RefusedError
from omnibench.store import RecordStore
from tests.report.page_records import unit

STEPS = 10  # an epoch, of 40 images
BASE, GOOD = ("base", "full"), ("good", "full")


def lines(values: Sequence[float | None], metric: str = "macro-f1") -> list[Mapping[str, Any]]:
    """An evaluation an epoch, two seconds and 40 images each."""
    return [
        {
            **{"epochs": e + 1.0, "steps": STEPS * (e + 1), "images": 40 * (e + 1)},
            **{"train_seconds": 2.0 * (e + 1), "flops": 3e12 * (e + 1)},
            **{"validation": {metric: value}, "epoch": e, "loss": 1.0},
        }
        for e, value in enumerate(values)
    ]


def text(entries: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()


class Trainings:
    """Records of `full` whose metrics tell the opposite of their validation."""

    def __init__(self, folder: Path) -> None:
        self.store = RecordStore(folder)
        self.units = {name: unit(name, "full") for name in ("base", "good")}

    def add(
        self,
        backbone: str,
        repetition: int,
        log: bytes,
        better: str = "up",
        metric: str = "macro-f1",
        **changes: Any,
    ) -> None:
        cell = self.units[backbone].cells[repetition]
        record: dict[str, Any] = {
            **blank(cell),
            "status": "done",
            "metrics": {"omnirad-classification/macro-f1": 0.9 if backbone == "base" else 0.1},
            "cost": {"wall_s": 1.0, "processes": 4},
            "notes": {"validated": {"metric": metric, "better": better}},
            **{"digests": {}, "environment": {}, "started": "2026", "finished": "2026"},
        }
        self.store.write(cell, {**record, **changes}, {}, {"epochs.jsonl": log})

    def fill(self, base: Sequence[Sequence[Any]], good: Sequence[Sequence[Any]]) -> None:
        for name, every in (("base", base), ("good", good)):
            for repetition, values in enumerate(every):
                self.add(name, repetition, text(lines(values)))

    def read(self, baseline: str | None = "base") -> list[Converging]:
        return converging(states([*self.units.values()], self.store), self.store, baseline)

    @property
    def study(self) -> Any:
        """As far as tables and figures read it."""
        return SimpleNamespace(
            converging=self.read(),
            names=NO_NAMES,
            named=NO_NAMES.backbone,
            looks=Looks(self.units),
        )

    def tables(self) -> list[Table]:
        return list(convergence_tables(self.study))


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(tmp_path)


def cells(table: Table, backbone: str) -> dict[str, str]:
    """The texts of a row by their heads."""
    (row,) = (row for row in table.texts if row[0] == backbone)
    return dict(zip(table.heads, row, strict=True))


def test_every_amount_until_the_baselines_best_is_told(trainings: Trainings) -> None:
    """It is there after 2, 3 and 2 of 4 epochs, the baseline after the last."""
    base = [[0.1, 0.2, 0.3, 0.6], [0.1, 0.2, 0.3, 0.7], [0.1, 0.2, 0.3, 0.5]]
    good = [[0.5, 0.6, 0.1, 0.8], [0.5, 0.6, 0.9, 0.8], [0.4, 0.8, 0.1, 0.8]]
    trainings.fill(base, good)
    table, _ = trainings.tables()
    assert table.title.startswith("Time to the best of base: classification on dots, validation")
    row = cells(table, "good")
    assert row["reached"] == "3/3"
    assert [row[head] for head in ("epochs", "steps", "images")] == ["2", "20", "80"]
    assert row["training seconds"] == "4"
    assert row["device-hours"] == f"{4 * 4 / 3600:.5f}"  # four processes
    assert row["TFLOPs"] == "6"
    ratio = (2 * 4 / 3 * 2) ** (1 / 3)
    assert row["speed-up in steps"].startswith(f"{ratio:.2f} (")
    assert row["speed-up in seconds"] == row["speed-up in steps"]
    assert cells(table, "base")["speed-up in steps"] == DASH
    assert "(50.00 to 70.00 points)" in table.caption
    assert "3/3" in cells(table, "base").values()


def test_the_time_is_of_validation_and_not_of_the_test_metric(trainings: Trainings) -> None:
    """By their test metrics `base` is the better one; by validation `good` is there at once."""
    trainings.fill([[0.1, 0.2]] * 3, [[0.9, 0.9]] * 3)
    (trained,) = trainings.read()
    times = trained.times(GOOD, trained.against_baseline(GOOD), "steps")
    assert [(time.amount, time.event) for time in times] == [(STEPS, True)] * 3


def test_what_never_gets_there_is_beyond_what_was_run(trainings: Trainings) -> None:
    trainings.fill([[0.5, 0.9]] * 3, [[0.5, 0.5, 0.5, 0.5]] * 3)
    table, own = trainings.tables()
    row = cells(table, "good")
    assert row["reached"] == "0/3"
    assert (row["epochs"], row["steps"]) == ("> 4", "> 40")
    assert row["speed-up in steps"] == DASH
    (cell,) = (c for r in table.rows if r.cells[0].text == "good" for c in r.cells[9:10])
    assert "more than half of the pairs did not reach the target" in cell.details[0]
    assert cells(own, "good")["epochs"] == "1"  # a plateau is its own best


def test_early_evaluations_are_times_within_an_epoch(trainings: Trainings) -> None:
    early = {"epochs": 0.1, "steps": 1, "images": 4, "train_seconds": 0.2, "flops": 3e11}
    log = text([{**early, "validation": {"macro-f1": 0.7}}, *lines([0.6, 0.9])])
    for k in range(3):
        trainings.add("base", k, text(lines([0.5, 0.6])))
        trainings.add("good", k, log)
    table, own = trainings.tables()
    row = cells(table, "good")
    assert [row[head] for head in ("epochs", "steps", "training seconds")] == ["0.1", "1", "0.2"]
    # .7 up to the first epoch, then a line to .9: (.7 + .8) / 2.
    assert cells(own, "good")["mean over epochs (points)"] == "75.00"


def test_unknown_and_falling_values_are_judged_as_they_are(trainings: Trainings) -> None:
    for k in range(3):
        log = text(lines([None, 0.5, math.nan, 0.2], "loss"))
        trainings.add("good", k, log, better="down", metric="loss")
        trainings.add("base", k, text(lines([0.9, 0.4, 0.5], "loss")), "down", "loss")
    (trained,) = trainings.read()
    assert trained.falling
    assert trained.unit == ""
    assert trained.against_baseline(GOOD) == {0: 0.4, 1: 0.4, 2: 0.4}
    assert trained.times(GOOD, trained.against_baseline(GOOD), "epochs")[0].amount == 4
    assert trained.near_own_best(GOOD)[0] == pytest.approx(0.21)


def test_repetitions_pair_by_their_seeds_alone(trainings: Trainings) -> None:
    trainings.fill([[0.5, 0.6]] * 3, [[0.7, 0.8]] * 2)
    trainings.add("good", 2, text(lines([0.7, 0.8])), pairing="another")
    (trained,) = trainings.read()
    assert [*trained.against_baseline(GOOD)] == [0, 1]
    assert [*trained.near_own_best(GOOD)] == [0, 1, 2]
    trainings.add("good", 0, text(lines([0.7])), pairing="another")
    trainings.add("good", 1, text(lines([0.7])), pairing="another")
    (trained,) = trainings.read()
    with pytest.raises(RefusedError, match="no repetitions are paired"):
        trained.speed_up(GOOD, "steps")


@pytest.mark.parametrize(
    "damage",
    [
        b'{"epochs": 3.0, "val',
        b"\xff\xfe\n",
        b"[1]\n",
        b'{"epochs": 2.0, "validation": {}}\n',  # not after the one before
        b'{"epochs": NaN, "validation": {}}\n',
        b'{"epochs": "x", "validation": {}}\n',
        b'{"epochs": 3.0, "validation": 3}\n',
        b'{"validation": {}}\n',
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_ends_a_course(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "rep-0.epochs.jsonl"
    path.write_bytes(text(lines([0.1, 0.2])) + damage)
    assert [entry["epochs"] for entry in read_evaluations(path)] == [1, 2]
    assert read_evaluations(tmp_path / "absent") == []


def test_records_of_the_version_before_tell_epochs_alone(trainings: Trainings) -> None:
    """Their lines have no amounts, and what is chosen tells whether less is better."""
    for k in range(3):
        for name, values in (("base", [0.9, 0.5]), ("good", [0.4, 0.3])):
            log = text(
                [{"epoch": e, "validation": {"loss": value}} for e, value in enumerate(values)]
            )
            notes = {"chosen": {"epoch": 1, "val_loss": min(values)}}
            trainings.add(name, k, log, notes=notes, cost={})
    table, own = trainings.tables()
    assert cells(table, "good")["epochs"] == "1"
    assert "steps" not in table.heads
    assert "Records of before version 0.2.0 tell epochs alone." in table.caption
    assert "seconds" not in table.caption.split("Records of")[0]
    assert cells(own, "base")["best"] == "0.5000"
    assert list(convergences(trainings.study)) == []


def test_one_evaluation_is_no_course(trainings: Trainings) -> None:
    trainings.fill([[0.5]] * 3, [[0.6]] * 3)
    assert trainings.read() == []


def test_without_a_baseline_each_has_its_own_target_alone(trainings: Trainings) -> None:
    trainings.fill([[0.5, 0.6]] * 3, [[0.7, 0.8]] * 3)
    (trained,) = trainings.read(baseline=None)
    assert trained.against_baseline(GOOD) == {}


def test_the_caption_warns_of_a_rate_that_falls_over_the_whole_training(
    trainings: Trainings,
) -> None:
    trainings.fill([[0.5, 0.6]] * 3, [[0.7, 0.8]] * 3)
    assert "depends on its length" not in trainings.tables()[0].caption
    spec = blank(trainings.units["good"].cells[0])["spec"]
    falling = {**spec, "recipe": {**spec["recipe"], "decay": "cosine"}}
    trainings.add("good", 0, text(lines([0.7, 0.8])), spec=falling)
    caption = trainings.tables()[0].caption
    assert "Trainings of 2 epochs. Their rate falls over the whole training" in caption


def test_the_csv_has_every_repetition_and_target_in_full(trainings: Trainings) -> None:
    trainings.fill([[0.5, 0.6]] * 3, [[0.7, 1 / 3]] * 3)
    table = long_table(trainings.read())
    rows = [dict(zip(table.heads, (c.value for c in r.cells), strict=True)) for r in table.rows]
    assert len(rows) == 2 * 3 * 2
    row = next(r for r in rows if r["backbone"] == "good" and r["target"] == "best of base")
    assert (row["value"], row["reached"], row["steps"], row["flops"]) == (0.6, 1, 10, 3e12)
    assert row["device_hours"] == 2 * 4 / 3600
    assert row["best"] == 0.7


def test_the_figure_draws_validation_against_steps_on_a_log_axis(trainings: Trainings) -> None:
    trainings.fill([[0.5, 0.6]] * 3, [[0.7, None, 0.8]] * 3)
    (drawing,) = convergences(trainings.study)
    curves = {curve[0]: curve[2] for curve in drawing.data["curves"]}
    assert curves["good"] == [[[10, 70], [30, 80]]] * 3
    assert drawing.data["targets"] == [[0, 60]]
    canvas = Canvas()
    drawing.draw(canvas)
    (axes,) = canvas.axes
    assert axes.get_xscale() == "log"
    canvas.canvas.draw()
    assert not any("$" in label.get_text() for label in axes.get_xticklabels())
