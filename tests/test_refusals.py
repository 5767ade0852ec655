"""What `plan` blocks before anything is computed, in the words of what would refuse it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load
from tests.data.nifti_files import write_studies

VIT = "random-vit-tiny"


def write_npz(folder: Path) -> None:
    """Write a set of several labels an image, one that trains without a class, one of masks."""
    counts = {"train": 6, "val": 6, "test": 6}
    images: dict[str, Any] = {
        f"{split}_images": np.zeros((count, 8, 8), np.uint8) for split, count in counts.items()
    }
    several, classes, masks = dict(images), dict(images), dict(images)
    for split, count in counts.items():
        several[f"{split}_labels"] = np.arange(3 * count).reshape(count, 3) % 2
        classes[f"{split}_labels"] = np.arange(count)[:, None] % (2 if split == "train" else 3)
        shown = np.zeros((count, 8, 8), np.uint8)
        shown[:, :4] = 1 if split == "train" else np.arange(count)[:, None, None] % 3
        masks[f"{split}_label"] = shown
    for name, content in (("several", several), ("classes", classes), ("masks", masks)):
        np.savez(folder / f"{name}.npz", **content)


def needs(folder: Path, backbone: Any = VIT, **entry: Any) -> list[str]:
    """Return what the last unit of a suite needs."""
    matrix = [{"datasets": ["phantom"], **entry}] if "task" in entry else []
    if not matrix:
        matrix = [{"task": "classification", "datasets": ["phantom"], "adaptations": ["knn"]}]
    path = folder / "own.yaml"
    content = {"name": "own", "backbones": [backbone], "matrix": matrix}
    path.write_text(yaml.safe_dump(content))
    units = load(path, Sources(folder / "data", folder / "results")).units
    of_makers = [need for maker in units[-1].after for need in maker.needs]
    return of_makers or list(units[-1].needs)


CLASSIFY = {"task": "classification", "adaptations": ["linear"]}
SEGMENT = {"task": "segmentation", "adaptations": ["decoder"]}
CAPTION = {"task": "captioning", "adaptations": ["bart-small"]}


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (
            {**CLASSIFY, "adaptations": ["knn"], "recipe": {"k": [200, 300], "limit": 100}},
            "phantom: recipe.k: the smallest k is 200, the training split has 100 images",
        ),
        ({**CLASSIFY, "adaptations": ["knn"], "recipe": {"k": [2, 300], "limit": 100}}, None),
        (
            {**CLASSIFY, "recipe": {"window": [40, 400]}},
            "phantom: its images are grey levels already, or are read as declared beside them, so "
            "that `window` in the recipe says nothing of it; leave that out",
        ),
        (
            {**CLASSIFY, "recipe": {"limit": 2}},
            "phantom: recipe.limit 2 leaves fewer training cases than the 5 classes; raise it",
        ),
        ({**CLASSIFY, "recipe": {"limit": 5}}, None),
        (
            {**CLASSIFY, "adaptations": ["head"], "recipe": {"limit": 16}},
            "phantom: recipe.batch 32 exceeds the training split's 16 cases; lower it",
        ),
        (
            {
                **CLASSIFY,
                "adaptations": ["head"],
                "datasets": ["npz:several.npz"],
                "recipe": {"class_weights": "sqrt-inverse", "batch": 2},
            },
            "npz-several: recipe.class_weights: for multi-label datasets 'sqrt-inverse' is not "
            "defined; use 'prevalence' or 'none'",
        ),
        (
            {**CLASSIFY, "datasets": ["npz:classes.npz"]},
            "npz-classes: no training case shows the class '2'; add some, or take the class out "
            "of every split",
        ),
        (
            {**SEGMENT, "recipe": {"input_size": 80}},
            "phantom: recipe.input_size 80 is not a multiple of 32, the decoder's largest stride; "
            "use 64 or 96",
        ),
        ({**SEGMENT, "adaptations": ["linear"], "recipe": {"input_size": 80}}, None),
        (
            {**SEGMENT, "adaptations": ["full"], "recipe": {"input_size": 80}},
            "phantom: recipe.input_size 80 is not a multiple of 32, the decoder's largest stride; "
            "use 64 or 96",
        ),
        (
            {
                **SEGMENT,
                "datasets": ["npz:masks.npz"],
                "recipe": {"input_size": 64, "batch": 2},
            },
            "npz-masks: no training mask shows the class '2'; add some",
        ),
        (
            {**CAPTION, "recipe": {"visual_tokens": 2000}},
            "phantom: bart-small has 1024 positions and 2000 are asked for; lower "
            "recipe.max_tokens, recipe.visual_tokens or the decodings",
        ),
        (
            {**CAPTION, "decodings": ["b1-t1024"]},
            "phantom: bart-small has 1024 positions and 1025 are asked for; lower "
            "recipe.max_tokens, recipe.visual_tokens or the decodings",
        ),
        ({**CAPTION, "decodings": ["b1-t1023"]}, None),
    ],
    ids=str,
)
def test_a_recipe_that_cannot_be_run_is_blocked_in_a_sentence(
    tmp_path: Path, entry: dict[str, Any], sentence: str | None
) -> None:
    write_npz(tmp_path)
    entry = {**entry, "recipe": {"input_size": 64, **entry.get("recipe", {})}}
    assert needs(tmp_path, **entry) == ([] if sentence is None else [sentence])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"recipe": {"local_crops": 2, "local_size": 32}}, None),
        (
            {"recipe": {"local_crops": 2, "local_size": 40}},
            "phantom: recipe.local_size 40 is not a multiple of the patch size 16 of "
            "random-vit-tiny; use 32",
        ),
        (
            {"architecture": "tf_efficientnet_lite0"},
            "phantom: 'tf_efficientnet_lite0' is no plain vision transformer with a class token, "
            "which pretraining needs; take an architecture such as vit_small_patch14_dinov2",
        ),
        (
            {"knn": "mni152"},
            "phantom: knn: mni152 has not one label an image; name a dataset of classification",
        ),
        (
            {"recipe": {"batch": 64, "limit": 63}},
            "phantom: recipe.batch 64 exceeds the training split's 63 cases; lower it",
        ),
    ],
    ids=str,
)
def test_a_pretraining_that_cannot_be_run_is_blocked_in_a_sentence(
    tmp_path: Path, fields: dict[str, Any], sentence: str | None
) -> None:
    request = {"method": "dinov2-global", "architecture": "vit-tiny", "dataset": "phantom"}
    backbone = {"id": "own", "pretrain": {**request, **fields}}
    assert needs(tmp_path, backbone) == ([] if sentence is None else [sentence])


MAE = {"method": "mae", "architecture": "vit-tiny", "dataset": "phantom"}
MAE_3D = {"method": "mae3d", "architecture": "vit3d-tiny", "dataset": "phantom-volume"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (MAE, None),
        (
            {**MAE, "mask": 0.95},
            "phantom: options.mask 0.95 hides all of 16 patches from the encoder; lower it, or "
            "give a larger input_size",
        ),
        (
            {**MAE, "mask": 1e-20},
            "phantom: options.mask 1e-20 hides none of 16 patches from the encoder; raise it, or "
            "give a larger input_size",
        ),
        (
            {**MAE, "recipe": {"input_size": 8}},
            "phantom: recipe.input_size 8 is not a multiple of the patch size 16 of "
            "random-vit-tiny; use 16",
        ),
        (
            {**MAE, "recipe": {"input_size": 40}},
            "phantom: recipe.input_size 40 is not a multiple of the patch size 16 of "
            "random-vit-tiny; use 32 or 48",
        ),
        (
            {**MAE, "architecture": "vit3d-tiny"},
            "phantom: 'random-vit3d-tiny' sees volumes, and this method trains on images; take "
            "method: mae3d, or an architecture such as vit-tiny",
        ),
        (MAE_3D, None),
        (
            {**MAE_3D, "dataset": ["phantom-volume", "phantom"]},
            "phantom-volume_phantom: phantom has single images, and mae3d trains on volumes; take "
            "method: mae, or a dataset of studies such as phantom-volume",
        ),
        (
            {**MAE_3D, "architecture": "vit-tiny"},
            "phantom-volume: 'random-vit-tiny' sees single images, and mae3d trains on volumes; "
            "take an architecture such as vit3d-tiny, or inflate a vision transformer (inflate: "
            "the number of slices)",
        ),
        ({**MAE_3D, "architecture": "vit-tiny", "inflate": 32}, None),
        (
            {**MAE_3D, "architecture": "vit-tiny", "inflate": 24},
            "phantom-volume: options.inflate 24 is not a multiple of the patch size 16 of "
            "random-vit-tiny; use 16 or 32",
        ),
        (
            {**MAE_3D, "architecture": "vit-tiny", "inflate": 16, "mask": 0.95},
            "phantom-volume: options.mask 0.95 hides all of 16 patches from the encoder; lower it, "
            "or give a larger input_size",
        ),
        (
            {**MAE_3D, "inflate": 32},
            "phantom-volume: options.inflate is for a backbone of images, and random-vit3d-tiny "
            "sees volumes; leave it out",
        ),
        (
            {**MAE_3D, "recipe": {"input_size": 60}},
            "phantom-volume: recipe.input_size 60 is not a multiple of the patch size 8 of "
            "random-vit3d-tiny; use 56 or 64",
        ),
        (
            {**MAE_3D, "mask": 0.9, "recipe": {"input_size": 8}},
            "phantom-volume: options.mask 0.9 hides all of 3 patches from the encoder; lower it, "
            "or give a larger input_size",
        ),
    ],
    ids=str,
)
def test_a_masked_autoencoder_that_cannot_be_run_is_blocked_in_a_sentence(
    tmp_path: Path, fields: dict[str, Any], sentence: str | None
) -> None:
    backbone = {"id": "own", "pretrain": fields}
    assert needs(tmp_path, backbone) == ([] if sentence is None else [sentence])


def test_an_inflated_network_serves_whole_volumes(tmp_path: Path) -> None:
    backbone = {"id": "own", "pretrain": {**MAE_3D, "architecture": "vit-tiny", "inflate": 32}}
    entry = {"task": "volumes", "datasets": ["phantom-volume"], "adaptations": ["whole-volume"]}
    assert needs(tmp_path, backbone, **entry) == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mask": 1}, "pretrain.mae.mask: .*less than 1"),
        ({"mask": 0}, "pretrain.mae.mask: .*greater than 0"),
        ({"head": "sigmoid"}, "pretrain.mae: .*leave head at linear, or give norm_pixels: false"),
        ({"decoder_heads": 7}, "decoder_heads 7 does not divide decoder_width 512"),
        ({"decoder_depht": 2}, "decoder_depht: unknown field; did you mean decoder_depth"),
        ({"inflate": 8}, "inflate: unknown field"),
    ],
    ids=str,
)
def test_an_option_of_a_masked_autoencoder_that_cannot_be_is_refused(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        needs(tmp_path, {"id": "own", "pretrain": {**MAE, **options}})


def test_a_recipes_window_is_taken_by_studies_and_refused_by_their_pool(tmp_path: Path) -> None:
    write_studies(tmp_path / "set")
    recipe = {"window": [40, 400]}
    entry = {"task": "volumes", "adaptations": ["mean"], "datasets": ["nifti:set"]}
    assert needs(tmp_path, **entry, recipe=recipe) == []
    request = {"method": "dinov2-global", "architecture": "vit-tiny", "dataset": "nifti:set"}
    (need,) = needs(tmp_path, {"id": "own", "pretrain": {**request, "recipe": recipe}})
    assert need.startswith("nifti-set: ") and "read as declared" in need


def test_a_tasks_own_refusals_that_fail_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(unit: Any, facts: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(tasks.get("classification"), "refusals", fail, raising=False)
    with pytest.raises(RequestError, match="the task 'classification': refusals failed with KeyE"):
        needs(tmp_path)
