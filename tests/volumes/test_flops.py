"""FLOPs of fusions as `plan` has them, against those that torch counts."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from omnibench.encoders.forward import counted_flops
from omnibench.tasks.volumes.bags import Slices
from omnibench.tasks.volumes.flops import cross_flops, transformer_flops
from omnibench.tasks.volumes.fusion import transformer
from omnibench.tasks.volumes.multi_plane import multi_plane
from tests.volumes.conftest import Units

STUDIES, SLICES, WIDTH = 2, 40, 64


@pytest.mark.parametrize(
    ("adaptation", "dataset", "views", "fusion_of", "flops"),
    [
        ({"transformer": {"layers": 2}}, "tiny-volume", 1, transformer, transformer_flops),
        ({"multi-plane": {"layers": 3}}, "tiny-views", 2, multi_plane, cross_flops),
    ],
    ids=["transformer", "multi-plane"],
)
def test_they_are_those_of_the_modules(
    units: Units, adaptation: Any, dataset: str, views: int, fusion_of: Any, flops: Any
) -> None:
    (unit,), _ = units(adaptation, dataset)
    card = unit.dataset.model_copy(update={"images_per_study": float(views * SLICES)})
    backbone = unit.backbone.model_copy(update={"width": WIDTH})
    unit = replace(unit, dataset=card, backbone=backbone)
    shape = (STUDIES, views, SLICES)
    fusion = fusion_of(unit.options, WIDTH, views)
    slices = Slices(torch.zeros(*shape, WIDTH), torch.ones(shape, dtype=torch.bool))
    with counted_flops() as counter:
        fusion(slices)
    expected = counter.get_total_flops() / (STUDIES * views * SLICES)
    assert flops(unit) == pytest.approx(expected, rel=0.1)


def test_late_fusion_is_the_projection_alone(units: Units) -> None:
    (unit,), _ = units({"multi-plane": {"fusion": "late"}}, "tiny-views")
    assert cross_flops(unit) == 2 * (unit.backbone.width or 0) * unit.options["width"]
