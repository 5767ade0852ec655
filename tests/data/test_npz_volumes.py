"""Volumes of an npz file against the arrays they were saved from."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data import npz, npz_archive
from omnibench.data.npz import card_of, read, unpacked_bytes
from omnibench.data.packing import PackedImages
from omnibench.errors import DataError
from tests.target_values import labels_of

Arrays = dict[str, Any]
Save = Callable[..., Path]
COUNTS = {"train": 6, "val": 4, "test": 5}


@pytest.fixture
def volumes(arrays: Arrays) -> Arrays:
    """Three slices of 8 x 6 pixels for each label."""
    rng = np.random.default_rng(0)
    content = {name: array for name, array in arrays.items() if name.endswith("labels")}
    for split, count in COUNTS.items():
        content[f"{split}_volumes"] = rng.integers(0, 256, (count, 3, 8, 6), dtype=np.uint8)
    return content


def test_the_card_tells_that_a_case_is_a_volume(volumes: Arrays, save: Save) -> None:
    path = save(volumes)
    assert card_of(path) == DatasetCard(
        id="npz-own",
        reader="npz",
        path=str(path),
        tasks=("volumes",),
        labels="binary",
        classes=("0", "1"),
        channels=1,
        splits=COUNTS,
        images_per_study=3,
        primary={"volumes": "macro-f1"},
    )


@pytest.mark.parametrize("in_memory", [10**9, 0])
@pytest.mark.parametrize("kind", ["uint8", "float", "fortran"])
def test_slices_are_the_images_of_a_study_in_order(
    volumes: Arrays,
    save: Save,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    in_memory: int,
) -> None:
    change: dict[str, Callable[[Any], Any]] = {
        "uint8": lambda values: values,
        "float": lambda values: (values / 255).astype(np.float32),
        "fortran": np.asfortranarray,
    }
    stored = {name: change[kind](v) for name, v in volumes.items() if name.endswith("volumes")}
    monkeypatch.setattr(npz, "IN_MEMORY", in_memory)
    monkeypatch.setattr(npz_archive, "CHUNK_BYTES", 300)  # two volumes or less
    path = save(volumes | stored)
    dataset = read(card_of(path), tmp_path / "data")
    for name, count in COUNTS.items():
        split, expected = dataset.splits[name], volumes[f"{name}_volumes"]
        assert isinstance(split.images, PackedImages) == (in_memory == 0)
        assert split.cases == count and split.view is not None and split.place is not None
        pixels = split.images.read(0, len(split))
        for case, volume in enumerate(expected):
            own = split.study_of_image == case
            np.testing.assert_array_equal(pixels[own][split.place[own]], volume)
        assert set(split.view) == {"volume"}
        assert labels_of(split).tolist() == volumes[f"{name}_labels"][:, 0].tolist()
        assert not split.targets
        digest = hashlib.sha256(expected.tobytes()).hexdigest()
        assert dataset.digests[f"{name}_images"] == f"sha256:{digest}"
    assert unpacked_bytes(path) == (0 if in_memory else 15 * 3 * 8 * 6)


def test_groups_and_columns_are_of_volumes(volumes: Arrays, save: Save, tmp_path: Path) -> None:
    volumes["val_groups"] = np.array([7, 7, 8, 9])
    volumes["val_column_sex"] = np.array(["f", "f", "m", "f"])
    split = read(card_of(save(volumes)), tmp_path / "data").splits["val"]
    assert split.case_groups is not None
    assert split.case_groups.tolist() == ["7", "7", "8", "9"]
    assert split.by_case(split.columns["sex"]).tolist() == ["f", "f", "m", "f"]


def test_several_labels_a_volume_are_read(volumes: Arrays, save: Save, tmp_path: Path) -> None:
    for name, count in COUNTS.items():
        volumes[f"{name}_labels"] = np.arange(2 * count).reshape(count, 2) % 3 % 2
    card = card_of(save(volumes))
    assert (card.labels, card.primary) == ("multi-label", {"volumes": "auc"})
    split = read(card, tmp_path / "data").splits["val"]
    np.testing.assert_array_equal(labels_of(split), volumes["val_labels"])


def put(name: str, change: Callable[[Any], Any]) -> Callable[[Arrays], Arrays]:
    return lambda content: content | {name: change(content[name])}


def beside(name: str, shape: tuple[int, ...]) -> Callable[[Arrays], Arrays]:
    return lambda content: (
        content
        | {
            f"{split}_{name}": np.zeros((count, *shape), np.uint8)
            for split, count in COUNTS.items()
        }
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (beside("images", (8, 8)), r"has both images .* and volumes .* as two datasets"),
        (beside("label", (3, 8, 6)), r"has masks .* beside volumes, .* leave them out"),
        (put("val_volumes", lambda v: v[:, 0]), r"val_volumes is \[4, 8, 6\]; save grey volumes"),
        (put("val_volumes", lambda v: v[..., None]), r"val_volumes is \[4, 3, 8, 6, 1\]; save"),
        (put("val_volumes", lambda v: v[:, :0]), r"val_volumes is .* without a slice"),
        (put("val_volumes", lambda v: v[:0]), r"val_volumes is .* without a slice"),
        (put("val_volumes", lambda v: v[:, :2]), r"val_volumes is .* one number of slices"),
        (put("val_volumes", lambda v: v.astype(np.int16)), "val_volumes holds int16; save uint8"),
        (put("val_labels", lambda v: v[:3]), "val_labels holds 3 labels for 4 volumes"),
        (
            lambda content: {n: v for n, v in content.items() if n.endswith("volumes")},
            r"has no labels beside volumes, .* add them",
        ),
        (
            lambda content: {n: v for n, v in content.items() if n != "val_volumes"},
            "has no val_volumes; add",
        ),
    ],
)
def test_refusals(
    volumes: Arrays, save: Save, change: Callable[[Arrays], Arrays], message: str
) -> None:
    with pytest.raises(DataError, match=rf"own\.npz.*{message}"):
        card_of(save(change(volumes)))


def test_bad_floats_are_named_by_their_volume(volumes: Arrays, save: Save, tmp_path: Path) -> None:
    volumes["val_volumes"] = (volumes["val_volumes"] / 255).astype(np.float32)
    volumes["val_volumes"][3, 1, 2, 4] = np.nan
    with pytest.raises(DataError, match=r"own\.npz: val_volumes holds nan in volume 3;"):
        read(card_of(save(volumes)), tmp_path / "data")


def test_volumes_that_a_card_s_file_calls_images_are_read(
    volumes: Arrays, save: Save, tmp_path: Path
) -> None:
    path = save({n.replace("volumes", "images"): v for n, v in volumes.items()}, "official.npz")
    with pytest.raises(DataError, match=r"\[6, 3, 8, 6\].*channels stand last"):
        card_of(path)
    card = DatasetCard(
        id="official",
        reader="omnibench.data.npz:read",
        files={"official.npz": f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"},
        tasks=("volumes",),
        labels="binary",
        classes=("well", "ill"),
        channels=1,
        splits=COUNTS,
        images_per_study=3,
    )
    split = read(card, tmp_path).splits["test"]
    pixels = split.images.read(0, 15).reshape(5, 3, 8, 6)
    np.testing.assert_array_equal(pixels, volumes["test_volumes"])


def test_images_of_four_dimensions_are_told_what_volumes_are_called(
    volumes: Arrays, save: Save
) -> None:
    content = {n.replace("volumes", "images"): v for n, v in volumes.items()}
    for split in COUNTS:
        content[f"{split}_images"] = np.repeat(content[f"{split}_images"], 2, axis=1)
    with pytest.raises(DataError, match=r"volumes \[N, D, H, W\] are called train_volumes"):
        card_of(save(content))
