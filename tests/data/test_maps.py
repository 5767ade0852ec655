"""What is refused of maps of numbers, in sentences."""

from typing import Any

import numpy as np
import pytest

from omnibench.cards import DatasetCard, MapFacts
from omnibench.data import ArrayImages, Dataset, Maps, Split
from omnibench.data.maps import checked_maps
from omnibench.errors import DataError

FACTS = MapFacts(unit="mm", range=(0, 1))


def dataset(change: Any = None, valid: Any = None, facts: MapFacts | None = FACTS) -> Dataset:
    """Return three images a split; `change` alters the training maps in place."""
    card = DatasetCard(id="d", reader="npz", tasks=(), maps=facts)
    splits = {}
    for split in ("train", "val", "test"):
        maps = np.random.default_rng(0).random((3, 12, 12), np.float32)
        if change and split == "train":
            maps = change(maps)
        known = None if valid is None else ArrayImages(valid)
        images = ArrayImages(np.zeros((3, 12, 12), np.uint8))
        splits[split] = Split(images, {"maps": Maps(ArrayImages(maps), known)})
    return Dataset(card, splits)


def with_nan(maps: Any) -> Any:
    maps[1, 2, 3] = np.nan
    return maps


def test_whole_maps_pass() -> None:
    assert checked_maps(dataset()) is FACTS


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"facts": None}, r"nothing says what the maps of 'd' are in; give its card `maps`"),
        ({"change": lambda m: m[:, :6]}, "maps of train of 'd' are 6 x 12 pixels .* 12 x 12"),
        ({"change": lambda m: 0 * m}, "every valid pixel of the training maps of 'd' is 0"),
        ({"change": with_nan}, r"map of image 1 of train of 'd' holds nan in a valid pixel; save"),
        ({"change": lambda m: 3 * m}, r"holds .* where the range of its maps is 0 to 1 mm"),
        ({"valid": np.zeros((3, 12, 12), bool)}, "image 0 of train of 'd' has no valid pixel"),
    ],
)
def test_what_cannot_be_learnt_or_scored_is_refused(given: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        checked_maps(dataset(**given))


def test_a_pixel_that_is_not_valid_may_hold_anything() -> None:
    valid = np.ones((3, 12, 12), bool)
    valid[1, 2, 3] = False
    assert checked_maps(dataset(with_nan, valid)) is FACTS


def test_a_range_rises() -> None:
    with pytest.raises(ValueError, match="the smaller number first"):
        MapFacts(unit="mm", range=(1, 0))
