from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omnibench.architecture import architecture_of, needs_of_backbone
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Split
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.volumes import volume_embeddings
from omnibench.errors import RequestError
from omnibench.recipe import Recipe
from omnibench.task import Adaptation

SIZE = 8
STUDY = np.array(["b", "a", "b", "a", "b", "b"])
VIEW = np.array(["axial", "axial", "axial", "axial", "sagittal", "axial"])
PLACE = np.array([3, 1, 2, 0, 0, 1])
PIXELS = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE), dtype=np.uint8)


class FirstAndMean(nn.Module):
    """Gives the mean of a volume's first slice, and that of all of them."""

    def forward(self, pixels: Tensor) -> Tensor:
        return self.forward_volumes(pixels[:, :, None])

    def forward_volumes(self, pixels: Tensor) -> Tensor:
        first, every = pixels[:, :, 0].mean(dim=(1, 2, 3)), pixels.mean(dim=(1, 2, 3, 4))
        return torch.stack([first, every], dim=1)


@pytest.fixture
def embeddings(unit: Unit, tmp_path: Path) -> Callable[..., Any]:
    """The embeddings of one split's studies by a backbone."""

    def embeddings(source: str) -> Any:
        card = BackboneCard(id="mine", source=source, mean=(0.0,) * 3, std=(1.0,) * 3)
        recipe = {"input_size": SIZE, "precision": "fp32", "normalization": "backbone"}
        sources = {"dataset": "d", "backbone": source}
        own = replace(unit, backbone=card, recipe={**recipe, "limit": None}, sources=sources)
        split = Split(ArrayImages(PIXELS), study=STUDY, view=VIEW, place=PLACE)
        context = Context(tmp_path / "results", tmp_path / "data")
        return volume_embeddings(own, {"test": split}, context)

    return embeddings


def test_a_study_is_the_mean_of_its_series_each_a_volume_in_the_order_of_places(
    embeddings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    features = embeddings(f"{__name__}:FirstAndMean")
    means = PIXELS.mean(axis=(1, 2)) / 255
    axial = [means[5], means[[0, 2, 5]].mean()]
    b = np.mean([axial, [means[4]] * 2], axis=0)
    a = [means[3], means[[1, 3]].mean()]
    np.testing.assert_allclose(features.arrays["test"], [b, a], rtol=1e-5)
    assert features.arrays["test"].dtype == np.float32
    assert features.made.images == len(PIXELS)
    monkeypatch.setattr(ModuleEncoder, "embed_volumes", lambda *_: pytest.fail("computed again"))
    monkeypatch.setattr("omnibench.encoders.frozen.require", lambda *_: None)
    np.testing.assert_array_equal(
        embeddings(f"{__name__}:FirstAndMean").arrays["test"], features.arrays["test"]
    )


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("random:test_efficientnet", "mine: it sees single images, and volumes are asked for"),
        ("torch.nn:Flatten", "mine: it has no method forward_volumes"),
    ],
)
def test_a_backbone_of_single_images_is_refused(
    source: str, sentence: str, embeddings: Callable[..., Any]
) -> None:
    with pytest.raises(RequestError, match=sentence):
        embeddings(source)


@pytest.mark.parametrize(
    ("name", "blocked"), [("astra-ct-3d", False), ("astra-ct", True), ("pixels", True)]
)
def test_plan_blocks_backbones_that_are_known_to_see_single_images(
    name: str, blocked: bool, tmp_path: Path
) -> None:
    card, recipe = backbones.get(name), Recipe()
    adaptation = Adaptation("whole", "", "nothing", {"small": recipe}, frozen_kind="embed_volumes")
    architecture = architecture_of(card, tmp_path, tmp_path)
    needs = needs_of_backbone(card, architecture, adaptation, recipe.model_dump())
    sentence = "it sees single images, no volumes; leave whole to other ones"
    assert needs == ((f"backbone {name}: {sentence}",) if blocked else ())
