import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench import data
from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Split, masks, npz
from omnibench.data.declaration import VOID
from omnibench.data.masks import class_indexed, read_foreground
from omnibench.data.npz import card_of
from omnibench.errors import DataError
from tests.target_values import masks_of

Masks = dict[str, NDArray[np.uint8]]


def dataset(values: Masks, classes: tuple[str, ...] = (), side: int = 4) -> Dataset:
    card = DatasetCard(id="own", reader="a:b", tasks=("segmentation",), mask_classes=classes)
    splits = {}
    for split, array in values.items():
        images = np.zeros((len(array), side, side), np.uint8)
        splits[split] = Split(ArrayImages(images), {"masks": data.Masks(ArrayImages(array))})
    return Dataset(card, splits)


def filled(**values: list[int]) -> Masks:
    """Masks [N, 4, 4]: of each split one a value, which its last pixel has; the rest is 0."""
    content = {split: np.zeros((len(actual), 4, 4), np.uint8) for split, actual in values.items()}
    for split, actual in values.items():
        content[split][:, -1, -1] = actual
    return content


def corners(indexed: Dataset, split: str) -> list[int]:
    part = masks_of(indexed.splits[split])
    values: list[int] = part.read(0, len(indexed.splits[split]))[:, -1, -1].tolist()
    return values


def test_values_become_classes_over_all_splits_at_once() -> None:
    indexed = class_indexed(dataset(filled(train=[0, 20], val=[55, 0], test=[9, 55])))
    assert indexed.card.mask_classes == ("0", "9", "20", "55")
    # split by split, 20 and 55 would both have become 1
    assert corners(indexed, "train") == [0, 2]
    assert corners(indexed, "val") == [3, 0]
    assert corners(indexed, "test") == [1, 3]


def test_declared_indices_stay_and_absent_classes_keep_their_place() -> None:
    actual = class_indexed(dataset(filled(train=[0, 2], test=[2]), ("background", "organ", "cyst")))
    assert actual.card.mask_classes == ("background", "organ", "cyst")
    assert corners(actual, "train") == [0, 2]


def test_two_declared_classes_may_be_0_and_255() -> None:
    actual = class_indexed(dataset(filled(train=[0], test=[255, 0]), ("background", "lesion")))
    assert actual.card.mask_classes == ("background", "lesion")
    assert corners(actual, "test") == [1, 0]


@pytest.mark.parametrize(
    ("values", "classes", "message"),
    [
        (filled(train=[0, 1], val=[1, 0, 3]), ("a", "b", "c"), "image 2 of val holds 3"),
        (filled(train=[0, 1], val=[255]), ("a", "b"), "0..1, but .* image 0 of val holds 255"),
        (filled(train=[0, 128]), ("a", "b"), "image 1 of train holds 128"),
        (filled(train=list(range(65))), (), r"hold 0 \(.*and 57 more, .*grey levels.*JPEG"),
        (
            filled(train=[0, 1], val=[255]),
            (),
            r"0 \(95\.8 %\), 1 \(2\.08 %\), 255 .*mask_values: \{0: .*ignore: \[255",
        ),
        (filled(train=[0, 128, 255]), (), "grey levels of antialiased"),
        (filled(train=[0], val=[0]), (), r"'own' holds \[0\] alone"),
        (filled(train=[0], val=[0]), ("a", "b"), r"'own' holds \[0\] alone"),
    ],
)
def test_refused_values(values: Masks, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        class_indexed(dataset(values, classes))


def test_sixty_four_values_are_classes() -> None:
    indexed = class_indexed(dataset(filled(train=list(range(64)))))
    assert corners(indexed, "train") == list(range(64))


@pytest.fixture
def declared(save: Callable[..., Path], arrays: dict[str, Any]) -> Callable[..., Dataset]:
    """Write masks as an npz with a declaration beside it, and read it."""

    def write(values: list[int], declaration: str) -> Dataset:
        for split in ("train", "val", "test"):
            content = np.zeros((len(arrays[f"{split}_images"]), 8, 8), np.uint8)
            content[:, 0, : len(values)] = values
            arrays[f"{split}_label"] = content
        path = save(arrays)
        path.with_suffix(".yaml").write_text(declaration)
        return class_indexed(npz.read(card_of(path), path.parent / "data"))

    return write


@pytest.mark.parametrize(
    ("values", "declaration", "classes", "indices"),
    [
        # two codings mixed
        ([1, 255, 0], "mask_values: {0: no, 1: yes, 255: yes}", ("no", "yes"), [1, 1, 0]),
        # antialiased edges
        ([9, 130, 255], 'mask_values: {"0..127": a, "128..255": b}', ("a", "b"), [0, 1, 1]),
        # the background is not 0
        ([0, 7, 0], "mask_values: {7: back, 0: lesion}", ("back", "lesion"), [1, 0, 1]),
        ([1, 255, 2], "ignore: [255]", ("0", "1", "2"), [1, VOID, 2]),
        ([255, 1, 0], "ignore: [255]", ("0", "1"), [VOID, 1, 0]),
    ],
)
def test_declared_values_decide(
    declared: Callable[..., Dataset],
    values: list[int],
    declaration: str,
    classes: tuple[str, ...],
    indices: list[int],
) -> None:
    indexed = declared(values, declaration)
    assert indexed.card.mask_classes == classes
    masks = masks_of(indexed.splits["val"])
    assert masks.read(0, 1)[0, 0, :3].tolist() == indices


def test_values_that_are_not_declared_and_masks_of_void_alone_are_refused(
    declared: Callable[..., Dataset],
) -> None:
    with pytest.raises(DataError, match=r"image 0 of train .* holds 9, which is not declared"):
        declared([1, 9], "mask_values: {0: a, 1: b}")
    with pytest.raises(DataError, match="image 0 of train holds ignored values alone"):
        declared([1, 2], "{mask_values: {3: a, 4: b}, ignore: [0, 1, 2]}")


def test_splits_without_masks_or_with_masks_of_another_size_are_refused() -> None:
    without = dataset(filled(train=[0, 1]))
    images = without.splits["train"].images
    splits = {**without.splits, "test": Split(images)}
    with pytest.raises(DataError, match="test of 'own' has no masks"):
        class_indexed(Dataset(without.card, splits))
    with pytest.raises(DataError, match=r"train of 'own' are \[2, 4, 4\] .* \[2, 5, 5\]"):
        class_indexed(dataset(filled(train=[0, 1]), side=5))
    short = Split(images, {"masks": data.Masks(ArrayImages(np.zeros((2, 3, 4), np.uint8)))})
    with pytest.raises(DataError, match=r"\[2, 3, 4\] where its images are \[2, 4, 4\]"):
        class_indexed(Dataset(without.card, {"train": short}))


def test_colour_images_have_flat_masks() -> None:
    images = ArrayImages(np.zeros((2, 4, 4, 3), np.uint8))
    part = Split(images, {"masks": data.Masks(ArrayImages(filled(train=[0, 1])["train"]))})
    actual = class_indexed(Dataset(dataset({}).card, {"train": part}))
    assert actual.card.mask_classes == ("0", "1")


def test_reading_by_blocks_rows_and_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = np.array([0, 3, 60], np.uint8)
    expected = rng.integers(0, 3, (7, 4, 4))
    own = dataset({"train": values[expected]})
    monkeypatch.setattr(masks, "BLOCK_PIXELS", 33)  # two masks a block
    actual = masks_of(class_indexed(own).splits["train"])
    assert actual.shape == (7, 4, 4)
    assert actual.read(0, 1).dtype == np.uint8
    np.testing.assert_array_equal(actual.read(2, 9), expected[2:])
    rows = np.array([6, 0, 6])
    np.testing.assert_array_equal(actual.read_rows(rows), expected[rows])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(actual)).read(0, 7), expected)
    late = filled(train=[0, 1, 0, 1, 0, 5])
    with pytest.raises(DataError, match="image 5 of train holds 5"):
        class_indexed(dataset(late, ("a", "b")))


def test_any_foreground_value_becomes_1(
    arrays: dict[str, Any], save: Callable[..., Path], tmp_path: Path
) -> None:
    for split in ("train", "val", "test"):
        arrays[f"{split}_label"] = arrays[f"{split}_images"] // 100  # 0, 1, 2
    actual = read_foreground(card_of(save(arrays)), tmp_path).splits["test"]
    assert "labels" in actual.targets
    np.testing.assert_array_equal(masks_of(actual).read(0, 5), arrays["test_label"] > 0)
