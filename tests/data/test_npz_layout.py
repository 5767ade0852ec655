from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from omnibench.cards import DatasetCard
from omnibench.data.npz_archive import Archive
from omnibench.data.npz_layout import layout_of
from omnibench.errors import DataError

Arrays = dict[str, Any]
Save = Callable[..., Path]
SPLITS = ("train", "val", "test")


def reshaped(arrays: Arrays, change: Callable[[Any], Any]) -> Arrays:
    return arrays | {f"{split}_images": change(arrays[f"{split}_images"]) for split in SPLITS}


def masked(arrays: Arrays) -> Arrays:
    return arrays | {
        f"{split}_label": np.zeros(arrays[f"{split}_images"].shape, np.uint8) for split in SPLITS
    }


def card(channels: Literal[1, 3]) -> DatasetCard:
    return DatasetCard(id="official", reader="npz", tasks=("classification",), channels=channels)


def test_grey(arrays: Arrays, save: Save) -> None:
    layout = layout_of(Archive(save(arrays)))
    assert (layout.channels, layout.size, layout.resolution) == (1, (8, 8), 8)
    assert layout.counts == {"train": 6, "val": 4, "test": 5}
    assert set(layout.labels) == set(SPLITS)
    assert not layout.masks
    assert not layout.groups


def test_one_channel_axis_is_grey_and_three_are_colour(arrays: Arrays, save: Save) -> None:
    column = reshaped(arrays, lambda images: images[..., None])
    assert layout_of(Archive(save(column))).channels == 1
    colour = reshaped(arrays, lambda images: np.stack([images] * 3, axis=-1)[:, :5])
    layout = layout_of(Archive(save(colour)), card(3))
    assert (layout.channels, layout.size, layout.resolution) == (3, (5, 8), None)


def test_class_stands_in_for_labels(arrays: Arrays, save: Save) -> None:
    content = {name.replace("labels", "class"): array for name, array in masked(arrays).items()}
    layout = layout_of(Archive(save(content)))
    assert layout.labels["val"].name == "val_class"
    assert layout.masks["val"].name == "val_label"
    assert layout_of(Archive(save(content | arrays))).labels["val"].name == "val_labels"


def without(*names: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {name: array for name, array in arrays.items() if name not in names}


def put(name: str, change: Callable[[Any], Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: arrays | {name: change(arrays[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: {"x": np.zeros(3)}, "no train_images, val_images and test_images"),
        (without("val_images", "val_labels"), "has no val_images; add"),
        (without("val_images", "test_images"), "has no val_images and no test_images"),
        (without("test_labels"), "has no test_labels"),
        (without(*[f"{split}_labels" for split in SPLITS]), "neither labels"),
        (put("val_images", lambda images: images.astype(np.int16)), "val_images holds int16"),
        (put("val_images", lambda images: images > 3), "val_images holds bool"),
        (put("test_images", lambda images: images[:0]), "test_images is .* without an image"),
        (put("test_images", lambda images: images[:, :4]), r"test_images is \[5, 4, 8\] where"),
        (put("val_images", lambda images: np.stack([images] * 3, -1)), "val_images .* one number"),
        (put("val_images", lambda images: images[0]), r"val_images is \[8, 8\]; save grey"),
        (put("train_images", lambda images: np.stack([images] * 2, -1)), r"\[6, 8, 8, 2\]"),
        (put("train_images", lambda images: np.stack([images] * 3, 1)), r"transpose\(0, 2, 3, 1\)"),
        (lambda arrays: masked(arrays) | {"val_label": np.zeros((4, 9, 8), int)}, "val_label is"),
        (lambda arrays: masked(arrays) | {"val_label": np.zeros(4, int)}, "called val_labels"),
        (lambda arrays: masked(arrays) | {"val_label": np.zeros((4, 8, 8))}, "holds float64"),
    ],
)
def test_refusals(
    arrays: Arrays, save: Save, change: Callable[[Arrays], Arrays], message: str
) -> None:
    with pytest.raises(DataError, match=rf"own\.npz.*{message}"):
        layout_of(Archive(save(change(arrays))))


def test_channels_must_be_the_card_s(arrays: Arrays, save: Save) -> None:
    with pytest.raises(DataError, match=r"train_images is .* three dimensions where colour"):
        layout_of(Archive(save(arrays)), card(3))
    colour = reshaped(arrays, lambda images: np.stack([images] * 3, axis=-1))
    with pytest.raises(DataError, match="colour images where grey ones"):
        layout_of(Archive(save(colour)), card(1))
