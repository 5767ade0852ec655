"""Metrics of maps from stored sums, in numpy. Every image has a valid pixel; others do not count.

With predictions p, truth t and error e = p - t over an image's valid pixels:

- `dense-error`, in the map's unit: `mae`, `rmse` and `bias` (mean of e) are means over images; `r2`
  = 1 - SSE / SST and `ccc` (Lin 1989) are of the pixels of all images together, undefined where all
  of these are one number. `r2` and `ccc` are fractions.
- `dense-image`, means over images: `psnr` of the declared range R, 10 lg(R^2 / mean e^2), at most
  100 dB, which an error of zero has; `ssim` (Wang et al. 2004), see `measures.ssim`.
- `brainfm-image`, as BrainFM's evaluator (arXiv 2509.00549): `psnr` with the largest true number as
  peak; `ssim` after prediction and truth were each brought to 0..1, which hides every error of gain
  and offset; `l1`; `nl2` = |w p - t| / |t| with w = <p, t> / <p, p>, which hides gain. An image
  whose largest number is not positive has no `psnr`, one whose truth is 0 no `nl2`.
- `threshold-agreement`: `balanced-accuracy` of an image's mean lying above the cutoff; undefined
  where the truth has no image on one side.
- `structure`, where the card says what one is: `volume-error` |V' - V| / V, undefined for an image
  without any; `false-rate` of predicted components that touch no true one, and `missed-rate` of
  true ones that nothing predicted touches, 0 where there is none.
- `null-space`, where images show block means A of their maps: `data-residual` |A e| / |A t|, and of
  the error what the data could tell, `range-error` |A+ A e| / |t|, and what they could not,
  `null-space-error` |(I - A+ A) e| / |t|. Undefined for an image whose t, or A t, is 0.
- `registration`, where a pixel's two numbers are its displacement u, means over images:
  `endpoint-error` |u' - u| (Baker et al. 2011), the shares of pixels `within-1` and `within-3`
  units, `folding`, that of pixels where det(I + grad u') is not positive (central differences), and
  `dice` of the tissue of the image before it was moved, sampled at x + u' and at x + u: the mean of
  the classes but the background that one of both shows, undefined without any.
- `dense-gain`: `over-BASELINE`, by how much the `mae` of a baseline is above the model's, image
  by image, with a 95 % t interval over patients, or over images where fewer than two patients are
  known; it has no bounds for one image.

Where a pixel has several numbers, sums go over all of them, `ssim` is the mean of the channels, and
`threshold-agreement` is undefined. Where a metric is undefined for some images it is the mean over
the others, and then no mean that tests can pair.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import POINTS, Chance, Metric, Predictions, metrics_of_pass

from .displacement import REGISTRATION

Floats = NDArray[np.floating[Any]]
BASELINES = ("mean-image", "input", "affine")
GAINS = tuple(f"over-{name}" for name in BASELINES)
UNIT = "units of the map"
MOST_DECIBELS = 100.0
PerCase = Callable[[Predictions], Mapping[str, Floats]]
Compute = Callable[[Predictions], Mapping[str, float | None]]


def _ratio(part: Floats, whole: Floats, otherwise: float = np.nan) -> Floats:
    quotient: Floats = np.divide(part, whole, out=np.full(part.shape, otherwise), where=whole > 0)
    return quotient


def _decibels(peak: Floats, mean_square: Floats) -> Floats:
    """Return the ratio of a peak's square to an error in decibels; NaN where there is no peak."""
    square = np.where(peak > 0, peak, np.nan) ** 2
    return 10 * np.log10(square / np.maximum(mean_square, square * 10 ** (-MOST_DECIBELS / 10)))


def errors(predictions: Predictions) -> dict[str, Floats]:
    """Return `mae`, `rmse` and `bias` of each image [N]."""
    pixels, p, t, _, _, _, absolute = predictions["test_moments"].T
    return {
        "mae": absolute / pixels,
        "rmse": np.sqrt(_mean_square(predictions)),
        "bias": (p - t) / pixels,
    }


def _mean_square(predictions: Predictions) -> Floats:
    pixels, _, _, pp, tt, pt, _ = predictions["test_moments"].T
    mean: Floats = np.maximum(0, pp - 2 * pt + tt) / pixels
    return mean


def pooled(predictions: Predictions) -> dict[str, float | None]:
    """Return `r2` and `ccc` of the pixels of all images; None where the truth is one number."""
    pixels, p, t, pp, tt, pt, _ = predictions["test_moments"].sum(axis=0)
    within = tt - t * t / pixels
    if within <= 1e-12 * tt:
        return {"r2": None, "ccc": None}
    shared = pt - p * t / pixels
    spread = pp - p * p / pixels + within + (p - t) ** 2 / pixels
    return {"r2": float(1 - (pp - 2 * pt + tt) / within), "ccc": float(2 * shared / spread)}


def images(predictions: Predictions) -> dict[str, Floats]:
    """Return `psnr` and `ssim` of each image [N]."""
    low, high = predictions["map_range"]
    span = np.full(len(predictions["test_ssim"]), high - low)
    return {
        "psnr": _decibels(span, _mean_square(predictions)),
        "ssim": predictions["test_ssim"][:, 0],
    }


def as_brainfm(predictions: Predictions) -> dict[str, Floats]:
    """Return the four measures of BrainFM's evaluator of each image [N]."""
    _, _, _, pp, tt, pt, _ = predictions["test_moments"].T
    rest = np.maximum(0, tt - _ratio(pt * pt, pp, 0.0))
    return {
        "psnr": _decibels(predictions["test_ssim"][:, 2], _mean_square(predictions)),
        "ssim": predictions["test_ssim"][:, 1],
        "l1": errors(predictions)["mae"],
        "nl2": np.sqrt(_ratio(rest, tt)),
    }


def agreement(predictions: Predictions) -> dict[str, float | None]:
    """Return the balanced accuracy of an image's mean lying above the cutoff."""
    pixels, p, t = predictions["test_moments"].T[:3]
    cutoff = predictions["cutoff"][0]
    if np.isnan(cutoff):
        return {"balanced-accuracy": None}
    called, positive = p / pixels > cutoff, t / pixels > cutoff
    if positive.all() or not positive.any():
        return {"balanced-accuracy": None}
    right = (called == positive)[positive].mean() + (called == positive)[~positive].mean()
    return {"balanced-accuracy": float(right / 2)}


def structure(predictions: Predictions) -> dict[str, Floats]:
    """Return what was made up and what was missed in each image [N]; {} where none is declared."""
    if "test_structures" not in predictions:
        return {}
    volume, true_volume, predicted, false, true, missed = predictions["test_structures"].T
    return {
        "volume-error": _ratio(np.abs(volume - true_volume), true_volume),
        "false-rate": _ratio(false, predicted, 0.0),
        "missed-rate": _ratio(missed, true, 0.0),
    }


def null_space(predictions: Predictions) -> dict[str, Floats]:
    """Return each image's parts of the error [N]; {} where images do not show block means."""
    if "test_projected" not in predictions:
        return {}
    data, truth_data, seen, unseen, truth = predictions["test_projected"].T
    return {
        "data-residual": _ratio(data, truth_data),
        "range-error": _ratio(seen, truth),
        "null-space-error": _ratio(unseen, truth),
    }


def displacements(predictions: Predictions) -> dict[str, Floats]:
    """Return the measures of each image's displacements [N]; {} where maps are none."""
    if "test_registration" not in predictions:
        return {}
    return dict(zip(REGISTRATION, predictions["test_registration"].T, strict=True))


def gains(predictions: Predictions) -> dict[str, Floats]:
    """Return by how much each baseline's MAE is above the model's, of each image [N]."""
    own = errors(predictions)["mae"]
    return {f"over-{n}": errors(_answered(predictions, n))["mae"] - own for n in BASELINES}


def gains_with_bounds(predictions: Predictions) -> dict[str, float | None]:
    """Return the mean gains, and the bounds `NAME-low` and `NAME-high` of their 95 % intervals."""
    from scipy.stats import t as student

    values: dict[str, float | None] = {}
    for name, gain in gains(predictions).items():
        mean = float(gain.mean())
        groups = predictions.get("test_group", np.arange(len(gain)))
        _, member = np.unique(groups, return_inverse=True)
        if member.max() == 0:
            member = np.arange(len(gain))
        # Of a mean of all images whose patients were drawn: images of one patient go together.
        sums = np.bincount(member, gain - mean)
        count = len(sums)
        values |= {name: mean, f"{name}-low": None, f"{name}-high": None}
        if count > 1:
            error = np.sqrt(count / (count - 1) * (sums**2).sum()) / len(gain)
            reach = float(student.ppf(0.975, count - 1) * error)
            values |= {f"{name}-low": mean - reach, f"{name}-high": mean + reach}
    return values


def _answered(predictions: Predictions, name: str) -> dict[str, NDArray[Any]]:
    """Return the predictions as if a baseline had made them."""
    place = BASELINES.index(name)
    others = {
        key.replace("_baseline", ""): array[:, place]
        for key, array in predictions.items()
        if key.startswith("test_baseline_")
    }
    return {**predictions, **others}


def of_baselines(compute: Compute, down: Sequence[str], predictions: Predictions) -> dict[str, Any]:
    """Return what the best of the baselines scores, and beside it what each does."""
    every = {name: compute(_answered(predictions, name)) for name in BASELINES}
    chances = {}
    for metric in every[BASELINES[0]]:
        scores = {n: v for n, values in every.items() if (v := values[metric]) is not None}
        if scores and metric not in SIGNED:
            best = (min if metric in down else max)(scores, key=lambda n: scores[n])
            chances[metric] = Chance(scores[best], best, scores)
    return chances


def _means(per_case: PerCase, predictions: Predictions) -> dict[str, float | None]:
    """Return the means over the images for which a measure is defined."""
    return {
        name: float(np.nanmean(values)) if np.isfinite(values).any() else None
        for name, values in per_case(predictions).items()
    }


def _paired(per_case: PerCase, predictions: Predictions) -> dict[str, Floats]:
    """Return those measures that every image has."""
    return {n: v for n, v in per_case(predictions).items() if np.isfinite(v).all()}


def _over_images(
    definition: str,
    per_case: PerCase,
    units: Mapping[str, str],
    down: Sequence[str],
    reported: Sequence[str] = (),
) -> Iterator[Metric]:
    """Yield the metrics that are means over images, each in its unit."""
    compute = partial(_means, per_case)
    chance = partial(of_baselines, compute, down)
    for metric in metrics_of_pass(
        definition,
        tuple(units),
        compute,
        down=down,
        neither=SIGNED,
        reported=reported,
        per_case=partial(_paired, per_case),
        chance=chance,
    ):
        yield replace(metric, unit=units[metric.name])


def _pooled(definition: str, names: Sequence[str], compute: Compute) -> tuple[Metric, ...]:
    chance = partial(of_baselines, compute, ())
    return metrics_of_pass(definition, names, compute, reported=names[:1], chance=chance)


ERRORS = dict.fromkeys(("mae", "rmse", "bias"), UNIT)
SIGNED = ("bias",)  # none is better for being larger or smaller
BRAINFM = {"psnr": "dB", "ssim": POINTS, "l1": UNIT, "nl2": POINTS}
STRUCTURE = dict.fromkeys(("volume-error", "false-rate", "missed-rate"), POINTS)
DISPLACEMENT = {"endpoint-error": UNIT} | dict.fromkeys(REGISTRATION[1:], POINTS)
PARTS = dict.fromkeys(("data-residual", "range-error", "null-space-error"), POINTS)
METRICS = (
    *_over_images("dense-error", errors, ERRORS, tuple(ERRORS), ("mae",)),
    *_pooled("dense-error", ("r2", "ccc"), pooled),
    *_over_images(
        "dense-image", images, {"psnr": "dB", "ssim": POINTS}, (), reported=("psnr", "ssim")
    ),
    *metrics_of_pass(
        "dense-gain",
        [f"{name}{bound}" for name in GAINS for bound in ("", "-low", "-high")],
        gains_with_bounds,
        reported=GAINS,
        per_case=gains,
        unit=UNIT,
    ),
    *_over_images("brainfm-image", as_brainfm, BRAINFM, ("l1", "nl2")),
    *_pooled("threshold-agreement", ("balanced-accuracy",), agreement),
    *_over_images("structure", structure, STRUCTURE, tuple(STRUCTURE), tuple(STRUCTURE)),
    *_over_images("null-space", null_space, PARTS, tuple(PARTS), tuple(PARTS)),
    *_over_images(
        "registration",
        displacements,
        DISPLACEMENT,
        ("endpoint-error", "folding"),
        ("endpoint-error", "folding", "dice"),
    ),
)
