"""Seconds of pending units, against FLOPs and rates multiplied by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.calibration import Calibration
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import datasets
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load, resolve, unpacked_bytes
from omnibench.estimate import RECORD_BYTES, RECORD_SECONDS, estimate, unit_costs
from omnibench.rates import Rates, forward_flops

VIT = BackboneCard(id="v", source="random:x", width=384, depth=12, patch=14, prefix_tokens=1)
SPLITS = {"train": 100, "val": 10, "test": 20}
FLOPS = forward_flops(VIT, 224)


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    measured = Calibration("here", "2026-01-01", {"bf16": 1e11}, {"bf16": 5e10})
    monkeypatch.setattr(Rates, "from_context", lambda context: Rates("cpu", 2, measured))
    return Context(tmp_path / "results", tmp_path / "data")


@pytest.fixture
def pending(unit: Unit) -> Unit:
    card = DatasetCard(id="d", reader="a:b", tasks=("classification",), splits=SPLITS)
    recipe = {"epochs": 4, "input_size": 224, "precision": "bf16", "limit": None}
    recipe["normalization"] = "backbone"
    return replace(unit, dataset=card, backbone=VIT, recipe=recipe)


def test_flops_of_vit_small() -> None:
    assert forward_flops(VIT, 224) == pytest.approx(12.2e9, rel=0.02)


def test_fine_tuning_costs_three_passes_an_image_at_the_rate_of_training(
    pending: Unit, context: Context
) -> None:
    actual = estimate([replace(pending, adaptation="full", short="full")], context)
    epoch = 100 * 3 * FLOPS / 5e10 + 10 * FLOPS / 1e11
    assert actual["seconds"] == pytest.approx(3 * (4 * epoch + RECORD_SECONDS), abs=0.1)
    assert actual["basis"] == "measured on this machine (here) on 2026-01-01"


def test_a_head_under_augmentation_costs_frozen_passes(pending: Unit, context: Context) -> None:
    actual = estimate([replace(pending, adaptation="head", short="head")], context)
    assert actual["seconds"] == pytest.approx(
        3 * (4 * 110 * FLOPS / 1e11 + RECORD_SECONDS), abs=0.1
    )


def test_a_head_without_augmentation_costs_the_one_pass_of_a_probe(
    pending: Unit, context: Context
) -> None:
    recipe = {**pending.recipe, "flip": 0.0, "rotation": 0.0, "crop_scale": 1.0}
    recipe |= {"randaugment": None, "erasing": 0.0, "mixup": 0.0, "drop_path": 0.0}
    head = replace(pending, adaptation="head", short="head", recipe=recipe)
    actual = estimate([pending, head], context)
    assert actual["seconds"] == pytest.approx(130 * FLOPS / 1e11 + 6 * RECORD_SECONDS, abs=0.1)
    lora = replace(head, adaptation="lora", short="lora", options={"sites": "all-linear"})
    epoch = 100 * 3 * FLOPS / 5e10 + 10 * FLOPS / 1e11
    actual = estimate([lora], context)
    assert actual["seconds"] == pytest.approx(3 * (4 * epoch + RECORD_SECONDS), abs=0.1)


def test_what_is_frozen_of_volumes_costs_one_pass_over_their_slices(
    pending: Unit, context: Context
) -> None:
    card = pending.dataset.model_copy(update={"tasks": ("volumes",), "images_per_study": 30.0})
    head = replace(pending, task="volumes", dataset=card, adaptation="head", short="head")
    actual = estimate([head], context)
    assert actual["seconds"] == pytest.approx(30 * 130 * FLOPS / 1e11 + 3 * RECORD_SECONDS, abs=0.1)
    assert actual["disk_bytes"] == 3 * RECORD_BYTES + 30 * 130 * 4 * 384
    whole = replace(head, adaptation="whole-volume", short="whole-volume")
    assert estimate([whole], context)["disk_bytes"] == 3 * RECORD_BYTES + 130 * 4 * 384


def test_frozen_probes_share_one_pass(pending: Unit, context: Context) -> None:
    knn = replace(pending, adaptation="knn", short="knn", repetitions=(0,))
    actual = estimate([pending, knn], context)
    assert actual["seconds"] == pytest.approx(130 * FLOPS / 1e11 + 4 * RECORD_SECONDS, abs=0.1)


def test_the_costs_of_units_add_up_to_the_estimate(pending: Unit, context: Context) -> None:
    full = replace(pending, adaptation="full", short="full")
    units = [pending, replace(pending, adaptation="knn", short="knn", repetitions=(0,)), full]
    first, second, trained = unit_costs(units, context)
    assert first.features == pytest.approx(130 * FLOPS / 1e11)  # shared, so the second has none
    assert (second.features, trained.features) == (0.0, 0.0)
    assert (first.images, first.place, first.known, trained.known) == (130, None, True, True)
    seconds = sum(cost.features + cost.repetitions for cost in (first, second, trained))
    assert estimate(units, context)["seconds"] == pytest.approx(seconds, abs=0.1)


def test_without_numbers_of_images_nothing_is_known(pending: Unit, context: Context) -> None:
    dataset = pending.dataset.model_copy(update={"splits": {}})
    (cost,) = unit_costs([replace(pending, dataset=dataset)], context)
    assert not cost.known


def test_units_with_work_that_nothing_tells_are_counted(pending: Unit, context: Context) -> None:
    exported = replace(pending, task="deployment", adaptation="onnx", short="onnx")
    assert estimate([pending, exported], context)["unknown"] == 1


def test_captions_cost_a_language_model_and_every_beam(pending: Unit, context: Context) -> None:
    caption = replace(
        pending,
        task="captioning",
        adaptation="bart-base",
        short="bart-base",
        repetitions=(0,),
        decodings=("b1-t64", "b5-t128"),
    )
    # BART-base over 64 visual tokens and 64 words: parameters of encoder, decoder and vocabulary.
    bart = 2 * 64 * (42.5e6 + 56.6e6 + 38.6e6)
    training = 4 * (100 * 3 * bart / 5e10 + 10 * bart / 1e11)
    generation = 20 * (64 + 5 * 128) * bart / 64 / 1e11
    frozen = 130 * FLOPS / 1e11
    actual = estimate([caption], context)
    assert actual["seconds"] == pytest.approx(training + generation + frozen, rel=0.01)


def test_a_label_budget_trains_on_its_share_and_steps_on_as_much_as_all(
    pending: Unit, context: Context
) -> None:
    full = replace(pending, adaptation="full", short="full@10pct", labels="10%")
    epoch = 10 * 3 * FLOPS / 5e10 + 10 * FLOPS / 1e11
    actual = estimate([full], context)
    assert actual["seconds"] == pytest.approx(3 * (4 * epoch + RECORD_SECONDS), abs=0.1)
    steps = replace(full, recipe={**full.recipe, "budget": "steps"})
    epoch = 100 * 3 * FLOPS / 5e10 + 10 * FLOPS / 1e11
    actual = estimate([steps], context)
    assert actual["seconds"] == pytest.approx(3 * (4 * epoch + RECORD_SECONDS), abs=0.1)


def test_budgets_of_a_frozen_probe_share_one_pass(pending: Unit, context: Context) -> None:
    few = replace(pending, short="linear@10pct", labels="10%")
    actual = estimate([pending, few], context)
    assert actual["seconds"] == pytest.approx(130 * FLOPS / 1e11 + 6 * RECORD_SECONDS, abs=0.1)


def test_what_is_still_to_be_unpacked_counts_once(
    pending: Unit, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays: dict[str, Any] = {}
    for split in SPLITS:
        arrays[f"{split}_volumes"] = np.zeros((4, 5, 6, 7), np.uint8)
        arrays[f"{split}_labels"] = np.arange(4)[:, None] % 2
    context.data.mkdir()
    np.savez(context.data / "v.npz", **arrays)
    dataset = resolve("npz:v.npz", context.data)
    units = [replace(pending, dataset=dataset, short=short) for short in ("a", "b")]
    held = estimate(units, context)
    monkeypatch.setattr("omnibench.data.npz.IN_MEMORY", 0)
    monkeypatch.setattr("omnibench.estimate.UNPACKED_BYTES", 100.0)
    size = 3 * 4 * 5 * 6 * 7
    unpacks = estimate(units, context)
    assert unpacks["disk_bytes"] - held["disk_bytes"] == size
    assert unpacks["seconds"] - held["seconds"] == pytest.approx(size / 100, abs=0.11)
    load(dataset, context.data)
    assert estimate(units, context) == held


def test_a_shipped_archive_is_unpacked_to_the_pixels_of_its_card(tmp_path: Path) -> None:
    card = datasets.get("organmnist3d")
    [(name, checksum)] = card.files.items()
    assert unpacked_bytes(card, tmp_path) == 0  # absent, which blocks its units
    (tmp_path / "medmnist").mkdir()
    (tmp_path / name).touch()
    assert unpacked_bytes(card, tmp_path) == (971 + 161 + 610) * 64**3
    (tmp_path / "packed" / checksum.removeprefix("md5:")[:16]).mkdir(parents=True)
    assert unpacked_bytes(card, tmp_path) == 0
