"""Clicks at real lesions of breast ultrasound (BUSI)."""

from pathlib import Path

import pytest

from omnibench.catalogue import backbones, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.recipe import resolve_recipe


@pytest.mark.real_data
def test_twenty_clicks_outline_lesions_that_one_does_not(real_data: Path, tmp_path: Path) -> None:
    card = tasks.get("interactive").adaptations["clicks-knn"]
    unit = Unit(
        task="interactive",
        dataset=card_of(real_data / "busi" / "busi_256.npz"),
        backbone=backbones.get("efficientnet-lite0"),
        adaptation="clicks-knn",
        short="clicks-knn",
        options=card.resolve_options({}, "adaptations"),
        recipe=resolve_recipe({"limit": 12, "precision": "fp32"}, card.recipes, "recipe")[1],
        suite_seed=0,
        sources={"dataset": "busi", "backbone": "efficientnet-lite0"},
        repetitions=(0,),
    )
    (outcome,) = tasks.get("interactive").run(
        unit, Context(tmp_path / "results", tmp_path / "cache")
    )
    metrics = outcome.metrics
    first, last = metrics["interactive/iou-1"], metrics["interactive/iou-20"]
    assert first is not None
    assert last is not None
    assert last > 0.75
    assert last > first + 0.2
