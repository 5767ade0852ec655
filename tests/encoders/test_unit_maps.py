from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omnibench import features
from omnibench.cards import BackboneCard
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Split
from omnibench.encoders import Encoder, kept
from omnibench.encoders import maps as module
from omnibench.encoders.build import load_encoder
from omnibench.encoders.kept import HeldRows
from omnibench.encoders.levels import Levels, levels_of
from omnibench.encoders.maps import UnitMaps, unit_maps
from omnibench.encoders.module_encoder import ModuleEncoder
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.errors import DataError, NumericError, RequestError
from omnibench.feature_manifest import read_manifest, write_manifest
from omnibench.feature_rows import FeatureRows

SIZE = 64
COUNTS = {"train": 11, "val": 4, "test": 1}
VIT = BackboneCard(id="vit", source="random:test_vit", pool="cls", patch=16)
CNN = BackboneCard(id="cnn", source="random:test_efficientnet", pool="mean")
SPLITS: Any = {
    name: Split(
        ArrayImages(np.random.default_rng(seed).integers(0, 256, (count, 40, 40), dtype=np.uint8))
    )
    for seed, (name, count) in enumerate(COUNTS.items())
}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: Unit) -> Callable[..., Any]:
    """Maps from the store or from memory, and how many images encoders were given for them."""
    torch.set_num_threads(1)
    monkeypatch.setattr(features, "SHARD_ROWS", 4)
    given: list[int] = []

    def counted(
        self: TimmEncoder,
        images: Tensor,
        layers: list[int] | tuple[int, int, int],
        plain: Any = TimmEncoder.maps,
    ) -> list[Tensor]:
        given.append(len(images))
        result: list[Tensor] = plain(self, images, layers)
        return result

    monkeypatch.setattr(TimmEncoder, "maps", counted)

    def make(card: BackboneCard, precision: str, held: bool) -> tuple[UnitMaps, list[int]]:
        monkeypatch.setattr(kept, "kept_in_memory", lambda *arguments: held)
        given.clear()
        maps = unit_maps(unit_of(unit, card, precision), SPLITS, context(tmp_path))
        return maps, list(given)

    return make


def context(folder: Path) -> Context:
    return Context(folder / "results", folder / "data")


def unit_of(unit: Unit, card: BackboneCard, precision: str) -> Unit:
    recipe = {"input_size": SIZE, "precision": precision, "normalization": "imagenet"}
    sources = {"dataset": "d", "backbone": card.source}
    return replace(unit, backbone=card, recipe={**recipe, "limit": None}, sources=sources)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("card", [VIT, CNN], ids=["vit", "cnn"])
def test_kept_on_disk_or_in_memory_they_have_the_same_bits(
    make: Callable[..., Any], card: BackboneCard, precision: str
) -> None:
    stored, _ = make(card, precision, held=False)
    held, _ = make(card, precision, held=True)
    assert isinstance(stored.rows["train"], FeatureRows)
    assert len(stored.rows["train"].files) == 3
    assert isinstance(held.rows["train"], HeldRows)
    assert (stored.shapes, stored.tokens) == (held.shapes, held.tokens)
    for split, count in COUNTS.items():
        rows = np.random.default_rng(0).permutation(count)
        for ours, theirs, shape in zip(
            stored.read(split, rows), held.read(split, rows), stored.shapes, strict=True
        ):
            assert ours.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
            assert ours.shape == (count, *shape)
            assert torch.equal(ours, theirs)
            assert ours.stride()[1:] == (1, shape[2] * shape[0], shape[0])  # channels last


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("card", [VIT, CNN], ids=["vit", "cnn"])
def test_they_are_the_encoders_own_in_any_order(
    make: Callable[..., Any], card: BackboneCard, held: bool, tmp_path: Path
) -> None:
    maps, _ = make(card, "fp32", held)
    recipe = {"input_size": SIZE, "precision": "fp32", "normalization": "imagenet"}
    encoder = load_encoder(card, recipe, "cpu", tmp_path, tmp_path).encoder
    layers = {"vit": [1, 3, 5], "cnn": [8, 16, 32]}[card.id]  # test_vit has six blocks
    rows = np.array([10, 0, 7, 0])
    with torch.inference_mode():
        images = torch.from_numpy(SPLITS["train"].images.array[rows])
        expected = encoder.maps(images, layers)
    for own, true in zip(maps.read("train", rows), expected, strict=True):
        torch.testing.assert_close(own, true, rtol=1e-4, atol=1e-5)
    shapes = {
        "vit": ((64, 4, 4),) * 3,
        "cnn": ((32, 8, 8), (48, 4, 4), (64, 2, 2)),
    }
    assert (maps.shapes, maps.tokens) == (shapes[card.id], card is VIT)
    assert maps.made.facts["layers"] == layers
    assert maps.made.facts["digest"].startswith("sha256:")


def test_what_the_store_holds_is_not_computed_again(make: Callable[..., Any]) -> None:
    cold, given = make(VIT, "fp32", held=False)
    # One image for the FLOP count and one for the shapes, then micro-batches of four.
    assert sorted(given) == [1, 1, *[4] * 5]
    warm, given = make(VIT, "fp32", held=False)
    assert given == []
    assert warm.made.facts == cold.made.facts
    assert warm.shapes == cold.shapes
    rows = np.arange(COUNTS["train"])
    for ours, theirs in zip(warm.read("train", rows), cold.read("train", rows), strict=True):
        assert torch.equal(ours, theirs)
    _, given = make(VIT, "bf16", held=False)
    assert sorted(given) == [1, 1, *[4] * 5]


def test_memory_holds_them_for_one_unit_alone(make: Callable[..., Any], tmp_path: Path) -> None:
    _, given = make(VIT, "fp32", held=True)
    assert sorted(given) == [1, 1, *[4] * 5]
    assert not (tmp_path / "data" / "features").exists()


@pytest.mark.parametrize("held", [False, True])
def test_a_map_that_is_not_finite_names_its_image(
    make: Callable[..., Any], held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = module._flat

    def broken(maps: list[Tensor]) -> Tensor:
        rows = flat(maps)
        rows[2:3, -1] = float("inf")  # the passes of one image have no such row
        return rows

    monkeypatch.setattr(module, "_flat", broken)
    with pytest.raises(NumericError, match="image 2 of train"):
        make(VIT, "bf16", held)


def test_splits_made_with_other_weights_are_refused(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    make(VIT, "fp32", held=False)
    for folder in (path.parent for path in (tmp_path / "data").glob("features/*/manifest.json")):
        manifest = read_manifest(folder)
        assert manifest is not None
        if manifest["key"]["split"] == "val":
            assert manifest is not None
            manifest["facts"]["digest"] = "sha256:other"
            assert manifest is not None
            write_manifest(folder, manifest)
    with pytest.raises(DataError, match="cached features of val come from other weights"):
        make(VIT, "fp32", held=False)


class Deep:
    """An encoder that tells its depth, or none."""

    def __init__(self, depth: int | None) -> None:
        self.depth = depth


def deep(depth: int | None) -> Encoder:
    """A stand-in for an encoder of which the depth alone is looked at."""
    return cast("Encoder", Deep(depth))


class Plain(nn.Module):
    """A module without any fact of its own."""

    def forward_intermediates(
        self, pixels: Tensor, layers: list[int] | tuple[int, int, int]
    ) -> Any:
        return [pixels] * len(layers)


def card(**fields: int) -> BackboneCard:
    return BackboneCard(id="mine", source="a:b", **fields)


@pytest.mark.parametrize(
    ("depth", "layers"),
    [
        (12, (3, 7, 11)),
        (24, (7, 15, 23)),
        (40, (12, 25, 39)),
        (6, (1, 3, 5)),
        (5, (0, 2, 4)),
        (3, (0, 1, 2)),
    ],
)
def test_a_vit_gives_the_ends_of_its_thirds(depth: int, layers: tuple[int, int, int]) -> None:
    assert levels_of(deep(depth), card(patch=16)) == Levels(layers, tokens=True)
    assert levels_of(deep(None), card(patch=16, depth=depth)).layers == layers
    assert levels_of(deep(depth), card()).layers == layers  # its architecture tells


def plain(**fields: int) -> ModuleEncoder:
    prepare = Preprocess(SIZE, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
    return ModuleEncoder(Plain(), prepare, card(**fields))


def test_a_cnn_gives_strides_and_a_plain_modules_card_tells_its_depth() -> None:
    cnn = Levels((8, 16, 32), tokens=False)
    assert levels_of(deep(None), card()) == levels_of(plain(), card()) == cnn
    told = {"patch": 16, "depth": 12}
    assert levels_of(plain(**told), card(**told)) == Levels((3, 7, 11), tokens=True)


@pytest.mark.parametrize(
    ("encoder", "fields", "message"),
    [
        (deep(2), {"patch": 16}, "mine: .*it has 2 of them; set depth on its card"),
        (plain(patch=16), {"patch": 16}, "mine: .*nothing tells how many it has; set depth"),
        (plain(depth=2), {"depth": 2}, "it has 2 of them"),
    ],
)
def test_a_backbone_whose_thirds_nothing_tells_is_refused(
    encoder: Encoder, fields: dict[str, int], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        levels_of(encoder, card(**fields))
