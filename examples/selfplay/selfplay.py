"""The task `localisation`: where an object is, learnt from whether images show it.

After "Reasoning in machine vision" (arXiv:2506.22075). What imports torch: `selfplay_trial.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import omnibench
from omnibench import Adaptation, Chance, Context, DatasetCard, Metric, Predictions, Unit

UPDATES = (0, 16, 64, 256)  # of self-play, each a view of its own
FLIPPED = (2, 4)  # images over which test-time augmentation averages
VIEWS = (*(f"s{count}" for count in UPDATES), *(f"tta{n}" for n in FLIPPED), "threshold")
ALIKE = (
    "a verifier needs training images with and without '{}', and here all are alike; name another "
    "dataset"
)
Values = Mapping[str, NDArray[Any]]
PerCase = Callable[[Predictions], Values]


def overlap(predictions: Predictions) -> Values:
    """Return the Dice of each image [N], 1 where the object is neither there nor answered."""
    hit, wrong, missed, _ = predictions["test_counts"].T
    whole = 2 * hit + wrong + missed
    return {"dice": np.where(whole == 0, 1.0, 2 * hit / np.maximum(whole, 1))}


def everywhere(predictions: Predictions) -> Chance:
    """Return what an answer of every pixel of every image scores."""
    hit, wrong, missed, rest = predictions["test_counts"].T
    counts = np.stack([hit + missed, wrong + rest, 0 * hit, 0 * hit], axis=1)
    return Chance(float(overlap({"test_counts": counts})["dice"].mean()), "every pixel")


def right(predictions: Predictions) -> Values:
    """Return 1 of each image [N] of which the verifier says rightly whether it shows the object."""
    return {"accuracy": 1.0 * ((predictions["test_verdict"] > 0) == predictions["test_present"])}


def areas(predictions: Predictions) -> Values:
    """Return each image's mean Dice over log2(1 + updates) [N]; {} of a view."""
    if "test_mflop" in predictions:
        return {}
    time = np.log2(1 + np.array(UPDATES))
    return {"area": np.trapezoid(predictions["test_curve"], time, axis=1) / time[-1]}


def trend(predictions: Predictions) -> Mapping[str, float]:
    """Return Page's L of the ranks of each image's Dice in the order of updates, and its p."""
    if "test_mflop" in predictions:
        return {}
    from scipy.stats import page_trend_test

    test = page_trend_test(predictions["test_curve"], method="asymptotic")
    return {"page-l": float(test.statistic), "page-p": float(test.pvalue)}


def mflop(predictions: Predictions) -> float | None:
    """Return what a view computes of an image beyond System I; None of System I itself."""
    return float(predictions["test_mflop"].mean()) if "test_mflop" in predictions else None


def means_of(per_case: PerCase) -> Callable[[Predictions], dict[str, float]]:
    """Return what gives means over images."""
    return lambda predictions: {n: float(v.mean()) for n, v in per_case(predictions).items()}


class Localisation(omnibench.Task):
    """Where the last of a dataset's mask classes is; training sees whether it is there at all."""

    name = "localisation"
    version = 1  # to be raised when its numbers change
    metrics = (
        Metric("per-image-foreground/dice", means_of(overlap), per_case=overlap, chance=everywhere),
        Metric("verifier/accuracy", means_of(right), per_case=right),
        Metric("thinking/area", means_of(areas), per_case=areas),
        Metric("thinking/page-l", trend, unit="sum of ranks", direction=None),
        Metric("thinking/page-p", trend, unit="p", direction=None),
        Metric("thinking/mflop", mflop, unit="MFLOP", direction="down", reported=False),
    )
    own = {
        "self-play": Adaptation(
            "self-play",
            trains="a linear verifier on pooled tokens; at test time a linear policy over tokens",
            varies="training seed",
            recipes={"small": omnibench.TrainingRecipe(epochs=60, lr=3e-3)},
            frozen_kind="maps",
            further_views=VIEWS,
        )
    }

    def judged_on(self, dataset: DatasetCard) -> bool:
        """Return whether a dataset has masks."""
        return "segmentation" in dataset.tasks

    def refusals(self, unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield that all training images of a local dataset show the object, or none does."""
        for name, images in [*facts.get("training_masks", {}).items()][-1:]:
            if images in (0, facts["images"]["train"]):
                yield ALIKE.format(name)

    def prepare(self, unit: Unit, context: Context) -> "Callable[[int], omnibench.Trial]":
        """Return what makes the trial of a repetition."""
        from selfplay_trial import prepare

        return prepare(unit, context)


omnibench.register_task(Localisation())
