"""`whole-volume`: backbones that see a volume at once, and those that do not."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.task import Outcome
from tests.volumes.conftest import Units


class Brightest(nn.Module):
    """Gives the mean of a volume's brightest slice, and of its darkest."""

    def forward(self, pixels: Tensor) -> Tensor:
        return self.forward_volumes(pixels[:, :, None])

    def forward_volumes(self, pixels: Tensor) -> Tensor:
        means = pixels.mean(dim=(1, 3, 4))
        return torch.stack([means.amax(1), means.amin(1)], dim=1)


def run(units: Units, dataset: str) -> Outcome:
    (unit,), context = units("whole-volume", dataset, recipe={"epochs": 20})
    card = BackboneCard(id="v", source=f"{__name__}:Brightest", mean=(0.0,) * 3, std=(1.0,) * 3)
    unit = replace(unit, backbone=card, sources={**unit.sources, "backbone": card.source})
    (outcome,) = tasks.get("volumes").run(unit, context)
    return outcome


def test_a_linear_layer_stands_on_the_embedding_of_each_volume(units: Units) -> None:
    outcome = run(units, "tiny-volume")
    assert outcome.predictions["test_logits"].shape == (12, 2)
    assert outcome.metrics["omnirad-classification/auc"] == 1
    assert outcome.cost["trainable_parameters"] == 2 * 3
    assert np.unique(outcome.predictions["test_case"]).tolist() == list(range(12))


def test_which_views_a_study_has_is_stored_where_there_are_several(units: Units) -> None:
    outcome = run(units, "tiny-views")
    assert outcome.predictions["test_view:sagittal"].tolist() == [1, 1, 1, 0] * 3
    assert {"missing/auc-axial", "missing/auc-axial+sagittal"} <= set(outcome.metrics)


def test_a_backbone_of_single_images_is_blocked_in_the_plan(units: Units) -> None:
    (unit,), _ = units("whole-volume")
    assert "no volumes" in unit.needs[0]
