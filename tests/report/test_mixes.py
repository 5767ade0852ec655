"""A report's mixes of qualities, against the grids of the metrics; and their heat map."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.report.figures.mixes import heat_maps
from omnibench.report.mixes import Mixed, MixedDataset
from omnibench.report.names import NO_NAMES
from omnibench.report.results import Results
from omnibench.report.study import Study
from omnibench.stats.result import RefusedError
from omnibench.stats.shift import Measured
from omnibench.views import share_name
from tests.report.viewed_records import TEST, TRAIN, Viewed

STEM = "mixes"
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Viewed:
    with pytest.MonkeyPatch.context() as patch:
        return Viewed(tmp_path_factory.mktemp("results"), patch)


def grid(viewed: Viewed, backbone: str) -> Floats:
    """Return the metric by share in training (rows) and in testing."""
    return np.array(
        [
            [
                viewed.mean(
                    (backbone, f"linear@low{share_name(train)}"),
                    "macro-f1",
                    f"low-q{share_name(test)}",
                )
                for test in TEST
            ]
            for train in TRAIN
        ]
    )


def test_the_grid_and_what_is_best_are_those_of_the_metrics(viewed: Viewed) -> None:
    expected = grid(viewed, "good")
    rows = viewed.rows(STEM, backbone="good", measure="value")
    assert [float(row["value"]) for row in rows] == pytest.approx(expected.ravel())
    assert all(float(row["low"]) < float(row["value"]) < float(row["high"]) for row in rows)
    best = viewed.rows(STEM, backbone="good", measure="best")
    assert [float(row["train"]) for row in best] == [TRAIN[i] for i in expected.argmax(axis=0)]


def test_matched_shares_are_the_diagonal_of_those_in_training_and_testing(viewed: Viewed) -> None:
    square = grid(viewed, "good")[:, [TEST.index(share) for share in TRAIN]]
    same, other = np.diag(square).mean(), square[~np.eye(len(TRAIN), dtype=bool)].mean()
    value = viewed.value
    assert value(STEM, backbone="good", measure="matched") == pytest.approx(same)
    assert value(STEM, backbone="good", measure="mismatched") == pytest.approx(other)
    difference = value(STEM, backbone="good", measure="matched-minus-mismatched")
    assert difference == pytest.approx(same - other)


def test_the_interaction_is_the_lead_on_high_quality_less_that_on_low(viewed: Viewed) -> None:
    leads = grid(viewed, "good") - grid(viewed, "base")
    rows = viewed.rows(STEM, measure="interaction")
    assert {row["backbone"] for row in rows} == {"good"}
    assert [float(row["value"]) for row in rows] == pytest.approx(leads[0] - leads[-1])
    lowest = viewed.rows(STEM, measure="lead", train="0.0")
    assert [float(row["value"]) for row in lowest] == pytest.approx(leads[0])


def test_tables_and_heat_map_stand_in_the_report(viewed: Viewed) -> None:
    markdown, page = ((viewed.out / f).read_text() for f in ("shift.md", "report.html"))
    for title in ("", ", matched or not", ", against base"):
        assert f"Mix of qualities{title}: breastmnist-28, macro-f1" in markdown
        assert f"Mix of qualities{title}: breastmnist-28, macro-f1" in page
    stem = "mixes-classification-breastmnist-28-gaussian-noise-at-severity-3"
    assert (viewed.out / "figures" / f"{stem}.svg").stat().st_size > 5000
    assert stem in (viewed.out / "report.tex").read_text()


def test_a_heat_map_leaves_out_what_was_not_run_and_says_what_is_best(tmp_path: Path) -> None:
    def number(value: float) -> Measured:
        return Measured(value, RefusedError("one case"))

    made = Mixed({(0.0, 0.0): number(0.9), (1.0, 1.0): number(0.7)}, {1.0: 1.0}, None)
    results = Results("classification", "d", "auc", ("dots",), (), None)
    dataset = MixedDataset(
        results, "dots", "a & b", True, None, (0.0, 1.0), (0.0, 1.0), {("x_1", "linear"): made}
    )
    study = SimpleNamespace(
        beyond=SimpleNamespace(mixed=[dataset]), names=NO_NAMES, named=NO_NAMES.backbone
    )
    (figure,) = heat_maps(cast(Study, study))
    json.dumps(figure.data, allow_nan=False)
    assert cast(Any, figure.data["grids"])[0][2] == [[90, None], [None, 70]]
    assert "x_1 with linear is best trained on 100 % for 100 %." in figure.alt
