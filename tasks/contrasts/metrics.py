"""Metrics of studies predicted by sets of their contrasts, from stored counts. No torch.

Predictions hold what segmentation's do, of all contrasts that each study has, a case being a study;
the names of the tested sets, `contrast_sets` [n], and whether each was trained on,
`contrast_sets_trained` [n]; `test_set_counts` [N, n, C, 4], -1 of a study that lacks a contrast of
the set; and of a training in two stages `test_before_counts` and `test_after_counts` [N, m, C, 4],
of the m sets of the first stage, when that ended and at the end.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Chance, Metric, Predictions, metrics_of_pass
from omnibench.tasks.segmentation.metrics import METRICS as SEGMENTATION
from omnibench.tasks.segmentation.metrics import of_one_class, per_image_foreground

SETS, TRAINED, COUNTS = "contrast_sets", "contrast_sets_trained", "test_set_counts"
BEFORE, AFTER = "test_before_counts", "test_after_counts"
Floats = NDArray[np.float64]


def dice_of_sets(counts: NDArray[np.int32]) -> Floats:
    """Return the foreground Dice [N, n] of counts [N, n, C, 4]; NaN of a study without the set."""
    flat = counts.reshape(-1, *counts.shape[2:])
    there = flat[:, 0, 0] >= 0
    dice = np.full(len(flat), np.nan)
    if there.any():
        dice[there] = per_image_foreground({"test_counts": flat[there]})["dice"]
    return dice.reshape(counts.shape[:2])


def contrast_sets(predictions: Predictions) -> dict[str, float | None]:
    """Return the Dice of each set, and what becomes of it without some contrasts.

    Of a set it is the mean over the studies that have all of its contrasts: `dice-A+B`. `mean` and
    `worst` are over the sets; `zero-shot` is the mean over those that were not trained on, None
    where all were. `retained` is the mean over the sets of their Dice as a share of the Dice that
    the same studies have with all of their contrasts; None where one of these is 0.
    `backward-transfer` is the mean over the first stage's sets of their Dice at the end less that
    before the second stage (Lopez-Paz and Ranzato 2017, arXiv:1706.08840).
    """
    dice = dice_of_sets(predictions[COUNTS])
    whole = per_image_foreground(predictions)["dice"]
    each = _over_studies(dice)
    untrained = each[~predictions[TRAINED].astype(bool)]
    all_of_same = _over_studies(np.where(np.isnan(dice), np.nan, whole[:, None]))
    values: dict[str, float | None] = {
        f"dice-{name}": float(value)
        for name, value in zip(predictions[SETS].tolist(), each, strict=True)
    }
    values |= {
        "mean": float(each.mean()),
        "worst": float(each.min()),
        "zero-shot": float(untrained.mean()) if len(untrained) else None,
        "retained": float((each / all_of_same).mean()) if all_of_same.all() else None,
    }
    if BEFORE in predictions:
        before, after = (_over_studies(dice_of_sets(predictions[name])) for name in (BEFORE, AFTER))
        values["backward-transfer"] = float((after - before).mean())
    return values


def per_study(predictions: Predictions) -> Mapping[str, Floats]:
    """Return `mean` and `zero-shot` by study [N], where every study has every set; else nothing."""
    dice = dice_of_sets(predictions[COUNTS])
    if np.isnan(dice).any():
        return {}
    untrained = dice[:, ~predictions[TRAINED].astype(bool)]
    means = {"mean": dice.mean(axis=1)}
    return means | ({"zero-shot": untrained.mean(axis=1)} if untrained.shape[1] else {})


def chance(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what the best of the guesses scores that give one class to every pixel.

    Such a guess is the same for every set, so it is known where every study has every set.
    """
    if (predictions[COUNTS][..., 0, 0] < 0).any():
        return {}
    guess = of_one_class(_mean_dice, predictions)["dice"]
    names = [f"dice-{name}" for name in predictions[SETS].tolist()]
    untrained = not predictions[TRAINED].astype(bool).all()
    return dict.fromkeys(["mean", "worst", *(["zero-shot"] * untrained), *names], guess)


def _mean_dice(predictions: Predictions) -> dict[str, float | None]:
    means = {name: v.mean() for name, v in per_image_foreground(predictions).items()}
    return {name: float(value) for name, value in means.items()}


def _over_studies(dice: Floats) -> Floats:
    """Return the mean [n] over the studies with a set, of which each has one at least."""
    means: Floats = np.nanmean(dice, axis=0)
    return means


_NAMES = ("mean", "worst", "zero-shot", "retained", "backward-transfer", "dice-*")
_SHOWN = _NAMES[:-1]
METRICS: tuple[Metric, ...] = (
    *metrics_of_pass(
        "contrast-sets",
        _NAMES,
        contrast_sets,
        reported=_SHOWN,
        per_case=per_study,
        chance=chance,
    ),
    *SEGMENTATION,
)
