import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from omnibench.catalogue import tasks
from omnibench.cell import digest_of
from omnibench.data.corruptions import corrupted
from omnibench.data.label_subset import drawn_rows
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.execute import execute_unit
from omnibench.label_budget import LabelBudget
from omnibench.record_files import read_predictions
from omnibench.store import RecordStore
from omnibench.tasks.segmentation import heads
from omnibench.training.checkpoint import Checkpoints
from omnibench.views import Corrupted

DEFINITIONS = (
    *("per-image-foreground", "per-image-macro", "dataset", "omnirad-batch16"),
    *("hd95-max-directed", "nsd-2px"),
)


def outcomes(unit: Any, context: Any) -> list[Any]:
    return list(tasks.get("segmentation").run(unit, context))


def same(a: Any, b: Any) -> bool:
    arrays = a.predictions.keys() == b.predictions.keys()
    return arrays and all(np.array_equal(a.predictions[k], b.predictions[k]) for k in a.predictions)


@pytest.mark.parametrize("source", ["random:test_vit", "random:test_efficientnet"])
@pytest.mark.parametrize("adaptation", ["decoder", "linear", "full"])
def test_every_adaptation_leaves_a_whole_record(make: Any, adaptation: str, source: str) -> None:
    unit, context = make(adaptation, source=source)
    assert execute_unit(unit, context).repetitions == {0: None}
    store = RecordStore(context.results)
    record = store.read(unit.cells[0])
    assert record is not None
    assert record["status"] == "done"
    assert record is not None
    assert {key.partition("/")[0] for key in record["metrics"]} == set(DEFINITIONS)
    path = store.path(unit.cells[0])
    assert path.with_suffix(".overlay.png").read_bytes().startswith(b"\x89PNG")
    arrays = read_predictions(path)
    assert arrays["test_counts"].shape == (9, 2, 4)
    assert (arrays["test_counts"].sum(axis=2) == 64 * 64).all()
    assert record is not None
    assert record["notes"]["mask_classes"] == ["0", "1"]
    lines = path.with_suffix(".epochs.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1]
    assert record is not None
    trained, whole = (record["cost"][f"{kind}_parameters"] for kind in ("trainable", "total"))
    assert (trained == whole) == (adaptation == "full")
    assert not list((context.results / "checkpoints").glob("*/*"))


def test_the_decoder_learns_a_bright_disc(make: Any) -> None:
    (actual,) = outcomes(*make("decoder", source="random:test_efficientnet", epochs=15))
    assert actual.metrics["per-image-foreground/dice"] > 0.8


@pytest.mark.parametrize("adaptation", ["decoder", "full"])
def test_a_training_cut_short_ends_with_the_same_numbers(
    make: Any, adaptation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = outcomes(*make(adaptation, "whole", epochs=3))
    unit, context = make(adaptation, "cut", epochs=3)
    save = Checkpoints.save

    def killed(self: Any, step: Any, state: Any) -> None:
        save(self, step, state)
        if len(state["history"]) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        outcomes(unit, context)
    monkeypatch.setattr(Checkpoints, "save", save)
    (resumed,) = outcomes(unit, context)
    assert same(whole, resumed)
    assert whole.metrics == resumed.metrics


def test_repetitions_share_one_feature_pass_and_are_the_same_alone(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[int] = []
    maps = TimmEncoder.maps

    def counted(self: TimmEncoder, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        passed.append(len(images))
        return maps(self, images, layers)

    monkeypatch.setattr(TimmEncoder, "maps", counted)
    company = outcomes(*make("linear", "company", repetitions=(0, 1, 2, 3, 4)))
    pass_of_five = len(passed)
    (alone,) = outcomes(*make("linear", "alone", repetitions=(3,)))
    # 16 + 6 + 9 images in micro-batches of 4, and two looks at one image: its shapes, its FLOPs.
    assert pass_of_five == 4 + 2 + 3 + 2
    assert len(passed) == pass_of_five  # the second run found them in the store
    assert same(alone, company[3])
    assert not same(company[0], company[1])


def test_the_frozen_prior_stays_at_its_draw(make: Any) -> None:
    (trained,) = outcomes(*make("decoder", "trained"))
    (frozen,) = outcomes(*make("decoder", "frozen", options={"prior": "frozen"}))
    unit, _ = make("decoder", options={"prior": "frozen"})
    assert unit.short == "decoder-pfrozen"
    assert frozen.cost["trainable_parameters"] < trained.cost["trainable_parameters"]
    assert frozen.cost["total_parameters"] == trained.cost["total_parameters"]


@pytest.mark.parametrize(
    ("adaptation", "size", "said"),
    [
        ("linear", 60, "not a multiple of its patch size 16; use 48 or 64"),
        ("decoder", 80, "not a multiple of 32, the decoder's largest stride; use 64 or 96"),
    ],
)
def test_a_size_that_does_not_divide_is_refused_with_the_nearest(
    make: Any, adaptation: str, size: int, said: str
) -> None:
    unit, context = make(adaptation, input_size=size)
    reason = execute_unit(unit, context).repetitions[0]
    assert reason is not None
    assert said in reason


def test_scoring_at_another_size_counts_other_pixels(make: Any) -> None:
    for score_at, side in (("stride8", 8), ("native", 48)):
        (actual,) = outcomes(*make("linear", score_at, score_at=score_at))
        assert (actual.predictions["test_counts"].sum(axis=2) == side**2).all()


def test_maps_in_bfloat16_are_kept_in_half_the_bytes(make: Any, tmp_path: Path) -> None:
    outcomes(*make("linear", precision="bf16"))
    size = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.rows"))
    assert size == 31 * 3 * 64 * 4 * 4 * 2  # images, levels, width, grid, bytes


@pytest.mark.parametrize("adaptation", ["decoder", "linear", "full"])
def test_a_label_budget_leaves_the_same_images_to_every_adaptation(
    make: Any, adaptation: str
) -> None:
    unit, context = make(adaptation, selection="matched-val")
    (whole,) = outcomes(unit, context)
    (few,) = outcomes(replace(unit, labels="25%"), context)
    subset, images = few.notes["subset"], whole.notes["subset"]["images"]
    expected = drawn_rows(images, LabelBudget.from_text("25%"), unit.subset_seed(0))
    assert subset["images"] == few.notes["batch_used"] == len(expected)
    assert subset["sha256"] == hashlib.sha256(expected.astype("<i8").tobytes()).hexdigest()
    assert len(few.predictions["val_counts"]) == subset["validation"]
    assert np.array_equal(few.predictions["test_case"], whole.predictions["test_case"])


def test_a_linear_head_is_standardised_by_the_images_of_its_budget(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    moments = heads._moments

    def counted(maps: Any, count: int) -> Any:
        counts.append(count)
        return moments(maps, count)

    monkeypatch.setattr(heads, "_moments", counted)
    unit, context = make("linear")
    (few,) = outcomes(replace(unit, labels="25%"), context)
    assert counts == [few.notes["subset"]["images"]]


@pytest.mark.parametrize("adaptation", ["linear", "full"])
def test_corrupted_images_are_predicted_as_if_they_were_the_test_set(
    make: Any, tmp_path: Path, adaptation: str
) -> None:
    unit, context = make(adaptation)
    view = Corrupted("gaussian-noise", 3)
    (viewed,) = outcomes(replace(unit, views=(view,)), context)
    with np.load(tmp_path / "blobs.npz") as arrays:
        content = dict(arrays)
    texts = [digest_of([unit.dataset.id, case, view.corruption]) for case in range(9)]
    seeds = np.array([int(text[:16], 16) >> 1 for text in texts])
    content["test_images"] = corrupted(content["test_images"], view.corruption, 3, seeds)
    np.savez(tmp_path / "blobs.npz", **content)
    other, _ = make(adaptation)
    sources = {**other.sources, "dataset": "noisy data"}
    (noisy,) = outcomes(replace(other, sources=sources), context)
    for name in ("test_counts", "test_hd95", "test_nsd"):
        actual, expected = viewed.predictions[f"{name}@{view.name}"], noisy.predictions[name]
        np.testing.assert_array_equal(actual, expected)
    for key, value in noisy.metrics.items():
        assert viewed.metrics[key.replace("/", f"@{view.name}/")] == value


@pytest.mark.parametrize("adaptation", ["linear", "full"])
def test_flops_are_of_kept_maps_once_and_of_what_is_trained(make: Any, adaptation: str) -> None:
    unit, context = make(adaptation)
    (actual,) = outcomes(unit, context)
    lines = [json.loads(line) for line in actual.files["epochs.jsonl"].splitlines()]
    each = {line["flops"] / line["images"] for line in lines}
    assert len(each) == 1
    images, val, test = lines[-1]["images"], unit.images["val"], unit.images["test"]
    backbone = actual.notes["backbone"].get("flops_per_image", 0)
    before = backbone * sum(unit.images.values())
    (forward,) = (flops / 3 for flops in each)  # also of the backbone where that is trained
    expected = before + forward * (3 * images + val * len(lines) + val + test)
    assert actual.cost["flops"] == pytest.approx(expected, rel=1e-12)
    assert (backbone > 0) == (adaptation == "linear")
