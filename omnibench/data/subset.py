"""A dataset cut to some images a split, for trials."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Dataset
from omnibench.data.sources import load_once


def unit_dataset(unit: Unit, context: Context) -> Dataset:
    """Return a unit's dataset, decoded for its input size and cut to its recipe's limit.

    Raises:
        DataError: as `load_once`.
    """
    recipe, source = unit.recipe, unit.sources["dataset"]
    dataset = load_once(unit.dataset, context.data, source, recipe["input_size"])
    return limited(dataset, recipe["limit"])


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """Keep at most `limit` images a split: one fixed draw, in their own order.

    A draw, because the first images of a sorted dataset show one class alone.
    """
    if limit is None:
        return dataset
    splits = {
        name: split.take(drawn(len(split), limit)) if len(split) > limit else split
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def drawn(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return the indices of `limit` of `count` images, in their order; of all where it is None."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])
