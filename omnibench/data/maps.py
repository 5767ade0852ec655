"""Maps of numbers, checked for a whole dataset at once, before anything is computed."""

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import MapFacts
from omnibench.data import Dataset, Maps
from omnibench.data.images import name_of
from omnibench.errors import DataError

BLOCK = 64  # maps that are looked at together


def checked_maps(dataset: Dataset) -> MapFacts:
    """Look at every map of a dataset and return what its card says of them.

    A number in a pixel that is not valid may be anything, NaN included.

    Raises:
        DataError: the card says nothing of them; they are of another size than the images; one has
            no valid pixel, or a valid one that is no number or lies outside the card's range; or
            all of training hold one number, of which nothing can be learnt.
    """
    card = dataset.card
    if card.maps is None:
        raise DataError(
            f"nothing says what the maps of '{card.id}' are in; give its card `maps`, or declare "
            "beside the data, as in maps: {unit: mm, range: [0, 20]}"
        )
    spans = {split: _span(dataset, split, card.maps) for split in dataset.splits}
    low, high = spans["train"]
    if low == high:
        raise DataError(
            f"every valid pixel of the training maps of '{card.id}' is {low:g}, so that there is "
            "nothing to learn; add maps that differ"
        )
    return card.maps


def _span(dataset: Dataset, split: str, facts: MapFacts) -> tuple[float, float]:
    """Return the least and the largest number of a split's valid pixels."""
    images, maps = dataset.splits[split].images, dataset.target(split, "maps", Maps)
    size, own = images.shape[1:3], maps.images.shape[1:]
    if size != own:
        raise DataError(
            f"the maps of {split} of '{dataset.card.id}' are {own[0]} x {own[1]} pixels where its "
            f"images are {size[0]} x {size[1]}; save one map of the same size for each image"
        )
    spans = []
    for start in range(0, len(maps), BLOCK):
        values, valid = maps.read_rows(np.arange(start, min(start + BLOCK, len(maps))))

        def at(bad: NDArray[np.bool_], start: int = start) -> str:
            name = name_of(images, start + int(bad.any(axis=(1, 2)).argmax()))
            return f"the map of {name} of {split} of '{dataset.card.id}'"

        empty = np.logical_not(valid.any(axis=(1, 2), keepdims=True))
        if empty.any():
            where = at(empty)
            raise DataError(f"{where} has no valid pixel to score; leave that image out")
        unknown = valid & ~np.isfinite(values)
        if unknown.any():
            raise DataError(
                f"{at(unknown)} holds {values[unknown][0]} in a valid pixel; save which pixels are "
                f"valid ({split}_valid in an npz file), or correct it"
            )
        low, high = facts.range
        outside = valid & ((values < low) | (values > high))
        if outside.any():
            raise DataError(
                f"{at(outside)} holds {values[outside][0]:g} where the range of its maps is "
                f"{low:g} to {high:g} {facts.unit}; correct the map or the range"
            )
        spans += [values[valid].min(), values[valid].max()]
    return float(min(spans)), float(max(spans))
