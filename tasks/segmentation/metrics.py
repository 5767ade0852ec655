"""Segmentation metrics from stored predictions, in numpy. Overlaps are fractions of 1.

Predictions hold `test_counts` [N, C, 4] (see `counts_of`; class 0 is the background) and, in newer
records, `test_hd95` and `test_nsd` [N, C - 1] (see `surface_distances`), and where a recipe says
`shape`, what `shape_arrays` gives. Of every class, with TP,
FP, FN, TN in pixels: `miou` = TP / (TP + FP + FN); `dice` = 2 TP / (2 TP + FP + FN); `precision`
= TP / (TP + FP); `recall` = TP / (TP + FN); `specificity` = TN / (TN + FP); `f1`, the harmonic mean
of precision and recall, is Dice by identity. What differs between definitions is what the
counts are pooled over, which classes are averaged, and what stands for 0 / 0.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Chance, Metric, Predictions, metrics_of_pass

from .centreline import CENTRELINE
from .shape import measured

Counts = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]
OMNIRAD_BATCH = 16
OVERLAPS = ("dice", "miou", "precision", "recall", "specificity", "f1")
BETTI = ("b0", "b1")
GUESSED = ("dice", "miou", "f1")  # a guess that fills the image has a recall of 1


def rates(counts: Counts) -> dict[str, Floats]:
    """Every metric [..., C] of counts [..., C, 4], class by class.

    A class absent from truth and prediction scores 1 in all of them. Else 0 / 0 is 0 (recall of a
    class that truth lacks, precision of one never predicted), but for specificity with no
    negative pixel: 1, since none was called positive.
    """
    absent = counts[..., :3].sum(axis=-1) == 0
    return {
        name: np.where(absent, 1.0, _divide(part, whole, float(name == "specificity")))
        for name, (part, whole) in _ratios(counts).items()
    }


def per_image_foreground(predictions: Predictions) -> dict[str, Floats]:
    """Per image [N], the mean over the foreground classes, with `rates` deciding 0 / 0."""
    foreground = predictions["test_counts"][:, 1:]
    return {name: value.mean(axis=1) for name, value in rates(foreground).items()}


def per_image_macro(predictions: Predictions) -> dict[str, Floats]:
    """Per image [N], the mean over all classes with the background, absent ones scoring 1.

    The `miou` of MedSegBench (Kus and Aydin 2024) on datasets with several classes, such as
    FHPsAOP.
    """
    return {name: value.mean(axis=1) for name, value in rates(predictions["test_counts"]).items()}


def per_image_distance(name: str, predictions: Predictions) -> dict[str, Floats]:
    """Per image [N], the mean of `test_NAME` over foreground classes; nothing if it isn't stored.

    Empty masks already have their values: see `surface_distances`.
    """
    stored = predictions.get(f"test_{name}")
    return {} if stored is None else {name: stored.mean(axis=1, dtype=np.float64)}


def per_image_shape(
    array: str, names: Sequence[str], predictions: Predictions
) -> dict[str, Floats]:
    """Per image [N], the mean over foreground classes of what `shape_arrays` measured.

    Args:
        array: [N, C - 1], or [N, C - 1, M] of M names; nothing where it is neither stored nor to be
            had of stored masks.
    """
    values = measured(predictions, array)
    if values is None:
        return {}
    means = values.reshape(*values.shape[:2], -1).mean(axis=1, dtype=np.float64)
    return dict(zip(names, means.T, strict=True))


def dataset(predictions: Predictions) -> dict[str, float]:
    """Counts pooled over all images, then the mean over all classes with the background.

    Classes absent from every truth and prediction are dropped; `rates` decides other 0 / 0. So
    `miou` is the classic one, and `f1` the mean over classes of their F1.
    """
    pooled = predictions["test_counts"].sum(axis=0, dtype=np.int64)
    present = pooled[:, :3].any(axis=1)
    return {name: float(value[present].mean()) for name, value in rates(pooled).items()}


def omnirad_batch16(predictions: Predictions) -> dict[str, float]:
    """As the OmniRad study's released code, within the 1e-6 that it adds to denominators.

    Counts are pooled over batches of 16 images in file order (the last may be shorter). In a batch
    each metric is the mean over the classes, background included, where it isn't 0 / 0: dropped are
    from Dice and IoU a class absent from truth and prediction, from precision one never predicted,
    from recall one that truth lacks, from specificity one that fills truth. F1 is the harmonic mean
    of the batch's mean precision and recall. Batches weigh the same whatever their length, so image
    order alone moves the result.
    """
    counts = predictions["test_counts"]
    starts = np.arange(0, len(counts), OMNIRAD_BATCH)
    batches = np.add.reduceat(counts, starts, axis=0, dtype=np.int64)
    values = {
        name: _divide(part, whole).sum(axis=1) / (whole > 0).sum(axis=1)
        for name, (part, whole) in _ratios(batches).items()
    }
    precision, recall = values["precision"], values["recall"]
    values["f1"] = _divide(2 * precision * recall, precision + recall)
    return {name: float(value.mean()) for name, value in values.items()}


def miou(counts: Counts) -> float:
    """The `per-image-foreground` mIoU of counts [N, C, 4], by which epochs are chosen."""
    return float(per_image_foreground({"test_counts": counts})["miou"].mean())


def of_one_class(
    compute: Callable[[Predictions], Mapping[str, float | None]], predictions: Predictions
) -> dict[str, Chance]:
    """Return what the best of the guesses scores that give one class to every pixel.

    Args:
        compute: counts to metrics, as the definition has it.
    """
    counts = predictions["test_counts"]
    truth = counts[..., 0] + counts[..., 2]
    others = counts.sum(axis=-1) - truth
    guesses = []
    for guess in range(counts.shape[1]):
        chosen = np.arange(counts.shape[1]) == guess
        cells = (truth * chosen, others * chosen, truth * ~chosen, others * ~chosen)
        guesses.append(compute({"test_counts": np.stack(cells, axis=-1)}))
    return {
        name: Chance(max(guess[name] or 0.0 for guess in guesses), "one class in every pixel")
        for name in GUESSED
    }


def _ratios(counts: Counts) -> dict[str, tuple[Floats, Floats]]:
    """Every metric's numerator and denominator, [..., C] each."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    dice = (2 * tp, 2 * tp + fp + fn)
    return {
        "miou": (tp, tp + fp + fn),
        "dice": dice,
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "f1": dice,
    }


def _divide(part: Floats, whole: Floats, otherwise: float = 0.0) -> Floats:
    quotient: Floats = np.divide(part, whole, out=np.full(part.shape, otherwise), where=whole > 0)
    return quotient


def _over_images(
    definition: str,
    per_case: Callable[[Predictions], Mapping[str, Floats]],
    names: Sequence[str] = OVERLAPS,
    **facts: Any,
) -> tuple[Metric, ...]:
    """Return the metrics that are the means of what `per_case` gives for each image."""

    def compute(predictions: Predictions) -> dict[str, float | None]:
        return {name: float(values.mean()) for name, values in per_case(predictions).items()}

    if names == OVERLAPS:
        facts["chance"] = partial(of_one_class, compute)
    return metrics_of_pass(definition, names, compute, per_case=per_case, **facts)


def _of_shape(
    definition: str, array: str, names: Sequence[str], **facts: Any
) -> tuple[Metric, ...]:
    """Return the metrics of an array of `shape_arrays`; all get a table, or those named."""
    per_case = partial(per_image_shape, array, names)
    return _over_images(definition, per_case, names, **{"reported": names, **facts})


METRICS = (
    *_over_images("per-image-foreground", per_image_foreground, reported=("dice", "miou")),
    *_over_images(
        "hd95-max-directed",
        partial(per_image_distance, "hd95"),
        ("hd95",),
        unit="pixels",
        down=("hd95",),
        reported=("hd95",),
    ),
    *_over_images("per-image-macro", per_image_macro),
    *metrics_of_pass("dataset", OVERLAPS, dataset, chance=partial(of_one_class, dataset)),
    *metrics_of_pass(
        "omnirad-batch16", OVERLAPS, omnirad_batch16, chance=partial(of_one_class, omnirad_batch16)
    ),
    *_over_images("nsd-2px", partial(per_image_distance, "nsd"), ("nsd",)),
    *_of_shape("cldice", "cldice", ("cldice",)),
    *_of_shape("centreline", "centreline", CENTRELINE, reported=("f1-2px",)),
    *_of_shape("betti-error", "betti", BETTI, unit="count", down=BETTI),
    *_of_shape("nsd-surfel-1mm", "surfel", ("nsd",)),
)
