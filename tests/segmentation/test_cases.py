from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.errors import DataError
from omnibench.tasks.segmentation.cases import Cases, nearest
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.distances import surface_distances
from tests.segmentation.conftest import array_of
from tests.target_values import masks_of

SIZES = st.integers(1, 70)
COUNTS = {"train": 5, "val": 3, "test": 4}


def pillow(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.stack(
        [np.asarray(Image.fromarray(m).resize(size[::-1], Image.Resampling.NEAREST)) for m in masks]
    )


@settings(max_examples=100)
@given(SIZES, SIZES, SIZES, SIZES)
@example(64, 56, 56, 64)  # centres that fall between two pixels
@example(10, 37, 1, 70)
def test_masks_are_resized_as_by_pillow(height: Any, width: Any, rows: Any, columns: Any) -> None:
    rng = np.random.default_rng(height * 71 + width)
    masks = rng.integers(0, 256, (2, height, width), dtype=np.uint8)
    resized = nearest(masks, (rows, columns))
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, pillow(masks, (rows, columns)))


@pytest.mark.parametrize("size", [224, 448, 56, 28])
@pytest.mark.parametrize("native", [512, 256, 128, 600, 333])
def test_the_sizes_that_are_used_equal_pillows(native: int, size: int) -> None:
    ramp = np.arange(native) % 251
    masks = (ramp[:, None] + 7 * ramp)[None].astype(np.uint8)
    np.testing.assert_array_equal(nearest(masks, (size, size)), pillow(masks, (size, size)))


def dataset(
    groups: bool = False,
    values: tuple[int, ...] = (0, 1, 2),
    classes: tuple[str, ...] = ("background", "liver", "tumour"),
) -> Dataset:
    """Masks of vertical thirds, 16 x 24 px, each image's shifted by its index."""
    splits = {}
    for name, count in COUNTS.items():
        masks = np.repeat(np.asarray(values, np.uint8)[None, None], 16, axis=1)
        masks = np.repeat(np.repeat(masks, 24 // len(values), axis=2), count, axis=0)
        masks = np.stack([np.roll(mask, index, axis=1) for index, mask in enumerate(masks)])
        images = np.zeros((count, 16, 24), np.uint8)
        told = np.array([f"patient {index // 2}" for index in range(count)]) if groups else None
        splits[name] = Split(ArrayImages(images), {"masks": Masks(ArrayImages(masks))}, groups=told)
    card = DatasetCard(id="thirds", reader="a:b", tasks=("segmentation",), mask_classes=classes)
    return Dataset(card, splits)


@pytest.mark.parametrize(
    ("score_at", "scored"), [("input", (64, 64)), ("stride8", (8, 8)), ("native", (16, 24))]
)
def test_masks_are_trained_on_at_the_input_size_and_scored_where_asked(
    score_at: str, scored: tuple[int, int]
) -> None:
    data = dataset()
    cases = Cases.from_dataset(data, 64, score_at, None)
    assert (cases.trained, cases.scored, cases.classes, cases.count("val")) == (64, scored, 3, 3)
    rows = np.array([3, 0])
    native = array_of(masks_of(data.splits["train"]))[rows]
    np.testing.assert_array_equal(cases.masks("train", rows), pillow(native, (64, 64)))
    np.testing.assert_array_equal(cases.truth("train", rows), pillow(native, scored))


def test_values_become_classes_and_limits_cut_every_split() -> None:
    cases = Cases.from_dataset(
        dataset(values=(0, 255), classes=("background", "lesion")), 32, "input", 2
    )
    assert [cases.count(split) for split in COUNTS] == [2, 2, 2]
    assert cases.classes == 2
    assert set(np.unique(cases.masks("train", np.array([0, 1])))) == {0, 1}


def test_a_class_that_no_training_pixel_shows_is_refused_by_name() -> None:
    data = dataset()
    array_of(masks_of(data.splits["train"]))[array_of(masks_of(data.splits["train"])) == 2] = 1
    for limit, way_out in ((None, "add some"), (99, "raise the recipe's limit of 99, or add some")):
        with pytest.raises(DataError, match=f"thirds: no training .* class 'tumour'; {way_out}$"):
            Cases.from_dataset(data, 32, "input", limit)
    # The other splits may lack it: they are scored, not learnt from.
    data = dataset()
    array_of(masks_of(data.splits["test"]))[:] = 0
    assert Cases.from_dataset(data, 32, "input", None).classes == 3
    # One pixel of the last image is enough.
    masks = array_of(masks_of(data.splits["train"]))
    masks[masks == 2] = 1
    masks[-1, -1, -1] = 2
    assert Cases.from_dataset(data, 32, "input", None).classes == 3


@dataclass(frozen=True)
class Counted(ArrayImages):
    """Masks of files, which note what is read at its own size."""

    reads: list[int] = field(default_factory=list)

    def read_native(self, index: Any) -> Any:
        self.reads.append(index)
        return self.array[index]


def test_the_truth_of_a_split_is_read_once_for_all_epochs() -> None:
    data, counted = dataset(), Counted(array_of(masks_of(dataset().splits["val"])))
    train = Counted(array_of(masks_of(data.splits["train"])))
    for name, masks in (("val", counted), ("train", train)):
        split = data.splits[name]
        data = replace(
            data, splits={**data.splits, name: Split(split.images, {"masks": Masks(masks)})}
        )
    cases = Cases.from_dataset(data, 32, "native", None)
    assert cases.scored is None
    before = len(counted.reads)
    for _ in range(3):
        cases.counts(
            "val", lambda split, rows: [np.zeros(s, np.uint8) for s in cases.sizes(split, rows)]
        )
    assert len(counted.reads) - before == COUNTS["val"]


def test_a_wrapped_array_of_masks_has_one_size() -> None:
    data = dataset()
    wrapped = data.splits["train"].take(np.arange(2)[::-1])
    data = replace(data, splits={**data.splits, "train": wrapped})
    assert Cases.from_dataset(data, 32, "native", None).scored == (16, 24)


def test_masks_of_another_size_than_their_images_are_refused() -> None:
    data = dataset()
    split = data.splits["val"]
    wrong = Split(
        split.images,
        {"masks": Masks(ArrayImages(array_of(masks_of(split))[:, :8]))},
    )
    with pytest.raises(DataError, match="masks of val of 'thirds'"):
        Cases.from_dataset(Dataset(data.card, {**data.splits, "val": wrong}), 32, "input", None)


@pytest.mark.parametrize("groups", [False, True])
def test_what_is_stored_of_predictions(groups: bool) -> None:
    cases = Cases.from_dataset(dataset(groups), 32, "stride8", None)
    rng = np.random.default_rng(0)
    predicted = {
        name: rng.integers(0, 3, (COUNTS[name], 4, 4), dtype=np.uint8) for name in ("val", "test")
    }
    arrays = cases.predictions(lambda split, rows: predicted[split][rows])
    kinds = {name: (array.shape, array.dtype.str[1]) for name, array in arrays.items()}
    expected = {
        "val_counts": ((3, 3, 4), "i"),
        "val_case": ((3,), "i"),
        "test_counts": ((4, 3, 4), "i"),
        "test_case": ((4,), "i"),
        "test_hd95": ((4, 2), "f"),
        "test_nsd": ((4, 2), "f"),
    }
    if groups:
        expected |= {"val_group": ((3,), "U"), "test_group": ((4,), "U")}
        assert arrays["test_group"].tolist() == [f"patient {i}" for i in (0, 0, 1, 1)]
    assert kinds == expected
    assert arrays["test_counts"].dtype == np.int32
    assert arrays["test_hd95"].dtype == arrays["test_nsd"].dtype == np.float32
    assert arrays["test_case"].tolist() == [0, 1, 2, 3]
    truth = pillow(array_of(masks_of(dataset().splits["test"])), (4, 4))
    np.testing.assert_array_equal(arrays["test_counts"], counts_of(predicted["test"], truth, 3))
    for name, values in zip(
        ("test_hd95", "test_nsd"), surface_distances(predicted["test"], truth, 3), strict=True
    ):
        np.testing.assert_array_equal(arrays[name], values)
