"""What decides comparisons: rows of a plan, and why others have none."""

import math
from typing import Any

import numpy as np
import pytest

from omnibench.stats.needed import Needed, plan
from omnibench.stats.pair import Place
from omnibench.stats.pilot import Pilot
from omnibench.stats.power import power_over_runs
from omnibench.stats.result import RefusedError
from omnibench.stats.sizes import smallest
from omnibench.stats.units import units_of
from tests.stats.conftest import Records

LABELS = np.arange(240) % 2
DEFINITION = "omnirad-classification"
PRIMARY = {"classification": f"{DEFINITION}/accuracy"}


def logits(seed: int, signal: float, n: int, jitter: float = 0.5) -> Any:
    """Logits of n repetitions that have the cases' difficulty in common, and differ in skill."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(size=(len(LABELS), 2))
    skill = signal + jitter * rng.normal(size=(n, 1, 1))
    return (difficulty + skill * np.eye(2)[LABELS]).astype(np.float32)


def planned(
    records: Records, margin: float = 0.05, rivals: tuple[str, ...] = ("a",), dataset: str = "d"
) -> list[Needed]:
    place: Place = ("classification", dataset, "linear")
    units = units_of(records.values)
    return plan(units, records.predictions, "base", {place: rivals}, PRIMARY, margin)


def test_a_plan_is_of_the_deciding_test_in_one_family(records: Records) -> None:
    for seed, name in enumerate(("base", "a", "b")):
        records.add(name, logits(seed, 1.5, 4), LABELS, varies="training seed")
    rows = planned(records, rivals=("a", "b"))
    alone = planned(records, rivals=("a",))[0]
    assert [(row.backbone, row.family, row.n, row.cases) for row in rows] == [
        ("a", 2, 4, 240), ("b", 2, 4, 240)
    ]  # fmt: skip
    assert rows[0].detectable > alone.detectable
    assert (rows[0].to_detect.repetitions or 0) > (alone.to_detect.repetitions or 0)
    assert rows[0].to_match == alone.to_match
    assert rows[0].needed == max(rows[0].to_detect, rows[0].to_match)
    assert not rows[0].enough


def test_the_numbers_are_those_of_the_influences(records: Records) -> None:
    """Of an accuracy: the deviations of each case, divided by their number."""
    for seed, name in enumerate(("base", "a")):
        records.add(name, logits(seed, 1.5, 4), LABELS, varies="training seed")
    row = planned(records)[0]
    right = [(logits(k, 1.5, 4).argmax(axis=2) == LABELS).astype(np.float64) for k in (1, 0)]
    moved = (right[0].mean(axis=0) - right[1].mean(axis=0)) / 240
    moved = moved - moved.mean()
    sizes = np.abs(moved - np.median(moved))
    both = []
    for values in right:
        rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
        both.append(float((rest**2).sum()) / (3 * 239 * 240))
    runs = [float(values.mean(axis=1).var(ddof=1)) for values in right]
    pilot = Pilot(
        240,
        float((moved**2).sum() * 240 / 239),
        math.pi / 2 * float(sizes.sum() ** 2 / (sizes**2).sum()),
        (4, 4),
        (runs[0], runs[1]),
        (both[0], both[1]),
    )
    assert row.to_detect == smallest(pilot, lambda s: s.power_to_detect(0.05, 0.05), False)
    assert row.to_match == smallest(pilot, lambda s: s.power_to_match(0.05), False)
    means = [values.mean(axis=1) for values in right]
    correlation = float(np.corrcoef(*means)[0, 1])
    powers = power_over_runs(0.05, (runs[0] ** 0.5, runs[1] ** 0.5), correlation, 4)
    assert row.correlation == pytest.approx(correlation)
    assert (row.power_paired, row.power_welch) == pytest.approx(powers)


def test_frozen_probes_need_cases_or_patients(records: Records) -> None:
    groups = np.arange(240) // 4
    for seed, name in enumerate(("base", "a")):
        repetitions = logits(seed, 1.5, 3, jitter=0.01)
        records.add(name, repetitions, LABELS, "cases")
        records.add(name, repetitions, LABELS, "patients", test_group=groups)
    for dataset, at_hand in (("cases", 240), ("patients", 60)):
        row = planned(records, 0.02, dataset=dataset)[0]
        assert (row.cases, row.by_patient) == (at_hand, dataset == "patients")
        assert row.frozen
        assert row.needed.repetitions == 3
        assert (row.needed.patients or 0) > 10 * at_hand
        assert math.isnan(row.correlation)
        assert math.isnan(row.power_welch)


def test_of_seeds_that_are_not_shared_there_is_no_correlation(records: Records) -> None:
    for seed, name in enumerate(("base", "a")):
        records.add(name, logits(seed, 1.5, 3), LABELS, varies="training seed")
        for row in records.rows:
            row["pairing"] = row["digest"]
    row = planned(records)[0]
    assert math.isnan(row.correlation)
    assert math.isnan(row.power_paired)
    assert 0 < row.power_welch < 1


def test_what_cannot_be_planned_says_why(records: Records) -> None:
    base = logits(0, 1.5, 3)
    records.add("base", base, LABELS, "once", "training seed")
    records.add("a", logits(1, 1.5, 1), LABELS, "once", "training seed")
    records.add("base", base, LABELS, "same")
    records.add("a", base, LABELS, "same")
    records.add("base", base, LABELS, "kinds")
    records.add("a", logits(1, 1.5, 3), LABELS, "kinds", "training seed")
    records.add("base", base, LABELS, "cases")
    records.add("a", logits(1, 1.5, 3), LABELS, "cases", test_case=np.arange(240) + 1)
    records.add("base", base, LABELS, "no rival")
    records.add("a", base, LABELS, "no baseline")
    records.row("base", 0, "accuracy", 0.9, "no score")
    records.row("a", 0, "accuracy", 0.9, "no score")
    for dataset, reason in {
        "once": "a single repetition",
        "same": "the two are identical, patient by patient",
        "kinds": "repetitions differ in training seed on one side, in head seed on the other",
        "cases": "not tested on the same cases",
        "no rival": "no finished run",
        "no baseline": "no finished run of the baseline",
        "no score": f"no accuracy as {DEFINITION}",
    }.items():
        (row,) = planned(records, dataset=dataset)
        assert reason in row.note
        assert row.needed == (None, None)
        assert not row.enough


def test_tasks_without_a_primary_metric_in_points_are_left_out(records: Records) -> None:
    records.add("base", logits(0, 1.5, 3), LABELS)
    units = units_of(records.values)
    place: Place = ("classification", "d", "linear")
    assert plan(units, records.predictions, "base", {place: ["a"]}, {}, 0.01) == []
    with pytest.raises(RefusedError, match="must be positive; it is 0"):
        plan(units, records.predictions, "base", {place: ["a"]}, PRIMARY, 0)
