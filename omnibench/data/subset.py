"""A dataset cut to some images a split, for trials."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Dataset, Labels, Split
from omnibench.data.sources import load_once
from omnibench.window import window_of


def unit_dataset(unit: Unit, context: Context) -> Dataset:
    """Return a unit's dataset as its recipe has it: its window, input size and limit.

    Raises:
        DataError: as `load_once`.
    """
    recipe, source = unit.recipe, unit.sources["dataset"]
    dataset = load_once(unit.dataset, context.data, source, recipe["input_size"])
    return limited(dataset.windowed(window_of(recipe)), recipe["limit"])


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """Keep at most `limit` cases a split, images or studies: one fixed draw, in their own order.

    A draw, because the first images of a sorted dataset show one class alone; stratified where
    there are labels, as a simple one may miss a rare class. Cases are drawn, not patients, of
    whom some may be left with a part of theirs; a patient of another split comes in nowhere.
    """
    if limit is None:
        return dataset
    splits = {
        name: split.take_cases(_rows(split, limit)) if split.cases > limit else split
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def _rows(split: Split, limit: int) -> NDArray[np.int64]:
    labels = (split.by_study or split.targets).get("labels")
    if isinstance(labels, Labels):
        return stratified(labels.values, limit)
    return drawn(split.cases, limit)


def drawn(count: int, limit: int | None) -> NDArray[np.int64]:
    """Return the indices of `limit` of `count` images, in their order; of all where it is None."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def stratified(labels: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return the indices of `limit` images that show the labels in the shares of all, in order.

    The next image is a random one of a label that was not drawn yet, the rarest first; then of the
    label of which the least was drawn, by Webster's rule of fair shares (images of several labels
    as in Sechidis et al. 2011, those of none as of one more). So every label is shown by as many
    images as there are labels, and a smaller limit draws a part of a larger one's images.

    Args:
        labels: int64 [N] class indices, or [N, L] zeros and ones.
        limit: less than N.
    """
    if labels.ndim == 1:
        shows = labels[:, None] == np.unique(labels)
    else:
        shows = np.column_stack([labels == 1, (labels == 0).all(axis=1)])
    sizes = shows.sum(axis=0)
    rarest_first = np.argsort(sizes, kind="stable")
    shows = shows[:, rarest_first[sizes[rarest_first] > 0]]
    sizes, counts = shows.sum(axis=0), np.zeros(shows.shape[1])
    order = np.random.default_rng(0).permutation(len(labels))
    queues = [iter(order[shows[order, label]]) for label in range(shows.shape[1])]
    chosen = np.zeros(len(labels), bool)
    for _ in range(limit):
        due = np.where(counts == 0, 0, (counts + 0.5) / sizes)
        queue = queues[int(np.argmin(due))]
        row = next(row for row in queue if not chosen[row])
        chosen[row] = True
        counts += shows[row]
    return np.flatnonzero(chosen)
