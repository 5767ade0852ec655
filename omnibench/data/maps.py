"""Maps of numbers, checked for a whole dataset at once, before anything is computed."""

from typing import Any

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
        DataError: the card says nothing of them; they are of another size than the images, or of
            other channels than the card's; one has no valid pixel, or a valid one that is no number
            or lies outside the card's range; or all of training hold one number, of which nothing
            can be learnt.
    """
    card = dataset.card
    if card.maps is None:
        raise DataError(
            f"nothing says what the maps of '{card.id}' are in; give its card `maps`, or declare "
            "beside the data, as in maps: {unit: mm, range: [0, 20]}"
        )
    spans = {split: _span(dataset, split, card.maps) for split in dataset.splits}
    for index, (low, high) in enumerate(spans["train"]):
        if low == high:
            where = f" in the channel '{card.maps.channels[index]}'" if card.maps.channels else ""
            raise DataError(
                f"every valid pixel of the training maps of '{card.id}' is {low:g}{where}, so that "
                "there is nothing to learn; add maps that differ"
            )
    return card.maps


def check_channels(facts: MapFacts, shape: tuple[int, ...], where: str) -> None:
    """Refuse maps of other channels than their card names.

    Args:
        shape: what follows their height and width.
        where: what the message calls them.

    Raises:
        DataError: saying how many there are.
    """
    if shape != ((len(facts.channels),) if facts.channels else ()):
        numbers = shape[0] if shape else 1
        raise DataError(
            f"{where} holds {numbers} {'number' if numbers == 1 else 'numbers'} a pixel in "
            f"{2 + len(shape)} dimensions, and {len(facts.channels) or 'no'} channels are declared;"
            " save [H, W] without channels, or [H, W, C] and a name for each under `channels` of "
            "`maps`"
        )


def over_channels(valid: NDArray[np.bool_], maps: NDArray[Any]) -> NDArray[np.bool_]:
    """Return validity masks [n, H, W] as they broadcast over maps [n, H, W] or [n, H, W, C]."""
    return valid[..., None] if maps.ndim > valid.ndim else valid


def _span(dataset: Dataset, split: str, facts: MapFacts) -> list[tuple[float, float]]:
    """Return each channel's least and largest number in a split's valid pixels."""
    images, maps = dataset.splits[split].images, dataset.target(split, "maps", Maps)
    size, own = images.shape[1:3], maps.images.shape[1:3]
    if size != own:
        raise DataError(
            f"the maps of {split} of '{dataset.card.id}' are {own[0]} x {own[1]} pixels where its "
            f"images are {size[0]} x {size[1]}; save one map of the same size for each image"
        )
    check_channels(facts, maps.images.shape[3:], f"a map of {split} of '{dataset.card.id}'")
    spans = []
    for start in range(0, len(maps), BLOCK):
        values, valid = maps.read_rows(np.arange(start, min(start + BLOCK, len(maps))))

        def at(bad: NDArray[np.bool_], start: int = start) -> str:
            name = name_of(images, start + int(bad.reshape(len(bad), -1).any(axis=1).argmax()))
            return f"the map of {name} of {split} of '{dataset.card.id}'"

        empty = np.logical_not(valid.any(axis=(1, 2), keepdims=True))
        if empty.any():
            where = at(empty)
            raise DataError(f"{where} has no valid pixel to score; leave that image out")
        known = over_channels(valid, values)
        unknown = known & ~np.isfinite(values)
        if unknown.any():
            raise DataError(
                f"{at(unknown)} holds {values[unknown][0]} in a valid pixel; save which pixels are "
                f"valid ({split}_valid in an npz file, {split}/valid in a folder), or correct it"
            )
        low, high = facts.range
        outside = known & ((values < low) | (values > high))
        if outside.any():
            raise DataError(
                f"{at(outside)} holds {values[outside][0]:g} where the range of its maps is "
                f"{low:g} to {high:g} {facts.unit}; correct the map or the range"
            )
        inside = values[valid].reshape(valid.sum(), -1)
        spans.append((inside.min(axis=0), inside.max(axis=0)))
    lows, highs = (np.array(ends) for ends in zip(*spans, strict=True))
    return list(zip(lows.min(axis=0).tolist(), highs.max(axis=0).tolist(), strict=True))
