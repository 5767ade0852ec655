"""Labels that were made cheaply, such as from reports, beside those of the same images by experts.

The target `labels_noisy` of the training and the validation split, of the same kind as `labels`.
"""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from omnibench.data.split import Dataset, Split
from omnibench.data.targets import Labels
from omnibench.stats.rates import cohen_kappa, confusion

NOISY = "labels_noisy"
LEARNT = ("train", "val")  # the splits that have them: a test is of clean labels
TrainLabels = Literal["clean", "noisy"]


def learnt_from_noisy(dataset: Dataset) -> Dataset:
    """Return a dataset whose training and validation labels are the noisy ones.

    Raises:
        DataError: one of these splits has none.
    """
    noisy = {name: _noisy(dataset.splits[name]) for name in LEARNT}
    return replace(dataset, splits={**dataset.splits, **noisy})


def _noisy(split: Split) -> Split:
    return replace(split, targets={**split.targets, "labels": split.target(NOISY, Labels)})


def agreement(dataset: Dataset) -> dict[str, Any]:
    """Return how far noisy labels agree with clean ones, by split; {} where there are none.

    Returns:
        `accuracy` over all decisions and Cohen's `kappa`, of several labels each label's; None
        where both are constant.
    """
    return {
        name: _agreement(
            dataset.target(name, "labels", Labels).values,
            dataset.target(name, NOISY, Labels).values,
            len(dataset.card.classes),
        )
        for name in LEARNT
        if NOISY in dataset.splits[name].targets
    }


def _agreement(clean: NDArray[np.int64], noisy: NDArray[np.int64], classes: int) -> dict[str, Any]:
    accuracy = float((clean == noisy).mean())
    if clean.ndim == 1:
        return {"accuracy": accuracy, "kappa": cohen_kappa(confusion(clean, noisy, classes))}
    pairs = zip(clean.T, noisy.T, strict=True)
    kappas = [cohen_kappa(confusion(own, other, 2)) for own, other in pairs]
    return {"accuracy": accuracy, "kappa": kappas}
