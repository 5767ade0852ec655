"""How drawings become files, and which comparisons a forest shows."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from omnibench.report.figures import drawing, forest
from omnibench.report.figures.drawing import Drawing, Figure
from omnibench.report.figures.looks import Looks
from omnibench.report.study import Study
from omnibench.stats.across import Overall
from tests.report.by_hand import Study as ByHand


def line(figure: Any) -> None:
    figure.subplots().plot([0, 1], [0, 1])


def fails(_: Any) -> None:
    raise ValueError("no such thing")


def test_forks_write_the_same_files_and_name_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [Drawing(f"d{k}", "T", "what", "", (2, 2), {"k": k}, line) for k in range(6)]
    bad = Drawing("bad", "T", "what", "", (2, 2), {}, fails)
    figure = Figure("mine", "Mine", lambda study: ())
    for count in (1, 2):
        monkeypatch.setattr(drawing, "_processes", lambda count=count: count)
        jobs = [(figure, item) for item in (*items, bad)]
        sentences = drawing._written(jobs, tmp_path / str(count))
        assert sentences[:6] == [""] * 6
        assert sentences[6].startswith("The figure 'Mine' is left out")
    for item in items:
        for kind in drawing.KINDS:
            alone, forked = (tmp_path / n / f"{item.stem}.{kind}" for n in "12")
            assert alone.read_bytes() == forked.read_bytes()


def test_too_many_comparisons_are_drawn_as_means_over_datasets(
    demo: ByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    (results,) = demo.results()
    mean = Overall(
        "classification",
        "linear",
        results.definition,
        results.metric,
        *("good", "random-vit"),
        datasets=12,
        missing=0,
        mean_difference=0.1,
        wins=12,
        losses=0,
        low=0.05,
        high=0.15,
        verdict="better",
    )
    study = SimpleNamespace(
        primary={"classification": results},
        comparisons=demo.comparisons,
        overall=[mean],
        looks=Looks(["random-vit", "good", "fair"]),
        margin=None,
        baseline="random-vit",
    )
    (each,) = forest.forests(cast("Study", study))
    assert len(each.data["rows"]) == 2
    monkeypatch.setattr(forest, "MOST", 1)
    (item,) = forest.forests(cast("Study", study))
    (row,) = item.data["rows"]
    assert row["name"] == "good · linear · mean of 12 datasets"
    assert row["values"] == pytest.approx([5, 10, 15])
    assert item.caption.startswith("Mean difference over these datasets with its 95 % interval")
