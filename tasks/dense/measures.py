"""What is measured of one map against another, image by image, in numpy; sources in `metrics`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import MapFacts

from .displacement import registration
from .refusals import WINDOW

Floats = NDArray[np.floating[Any]]
Valid = NDArray[np.bool_]
MOMENTS = ("pixels", "p", "t", "pp", "tt", "pt", "absolute")
SIGMA, K = 1.5, (0.01, 0.03)  # of SSIM
STRUCTURES = ("volume", "true-volume", "predicted", "false", "true", "missed")
PROJECTED = ("data", "truth-data", "range", "null-space", "truth")


def measures(
    predicted: Floats,
    truth: Floats,
    valid: Valid,
    facts: MapFacts,
    unmoved: NDArray[np.uint8] | None = None,
) -> dict[str, Floats]:
    """Return the arrays [N, M] that metrics are computed from, of maps [N, H, W] or [N, H, W, C].

    Args:
        unmoved: masks [N, H, W] of images before they were moved by displacements.

    Returns:
        `moments`, the sums of MOMENTS over valid pixels; `ssim`, by the declared range and after
        both were brought to 0..1, and the largest true number; and where the card's facts ask for
        them `structures` (of STRUCTURES, in pixels and components), `projected` (the lengths of
        PROJECTED) and `registration` (of REGISTRATION). Of several channels sums and counts are
        summed, `ssim` is their mean.
    """
    if not facts.channels:
        return _of_channel(predicted, truth, valid, facts)
    every = [
        _of_channel(predicted[..., c], truth[..., c], valid, facts)
        for c in range(len(facts.channels))
    ]
    arrays = {name: np.sum([each[name] for each in every], axis=0) for name in every[0]}
    similar = np.stack([each["ssim"] for each in every])
    arrays["ssim"] = np.column_stack([similar[..., :2].mean(axis=0), similar[..., 2].max(axis=0)])
    if facts.displacement is not None:
        masks = [None] * len(truth) if unmoved is None else unmoved
        arrays["registration"] = np.stack(
            [
                registration(p, t, v, facts.displacement, m)
                for p, t, v, m in zip(predicted, truth, valid, masks, strict=True)
            ]
        )
    return arrays


def _of_channel(
    predicted: Floats, truth: Floats, valid: Valid, facts: MapFacts
) -> dict[str, Floats]:
    arrays = {
        "moments": np.stack([moments(*each) for each in zip(predicted, truth, valid, strict=True)]),
        "ssim": np.stack(
            [likeness(*each, facts.range) for each in zip(predicted, truth, valid, strict=True)]
        ),
    }
    if facts.structure is not None:
        above = predicted > facts.structure, truth > facts.structure
        arrays["structures"] = np.stack(
            [structures(p & v, t & v) for p, t, v in zip(*above, valid, strict=True)]
        )
    if facts.block is not None:
        error = np.where(valid, predicted - truth, 0)
        known = np.where(valid, truth, 0)
        arrays["projected"] = np.stack(
            [projected(e, t, facts.block) for e, t in zip(error, known, strict=True)]
        )
    return arrays


def moments(predicted: Floats, truth: Floats, valid: Valid) -> Floats:
    """Return the sums [7] of MOMENTS over the valid pixels of maps [H, W], in float64."""
    p, t = predicted[valid].astype(np.float64), truth[valid].astype(np.float64)
    return np.array(
        [p.size, p.sum(), t.sum(), p @ p, t @ t, p @ t, np.abs(p - t).sum()], np.float64
    )


def likeness(predicted: Floats, truth: Floats, valid: Valid, span: tuple[float, float]) -> Floats:
    """Return [SSIM, SSIM after min-max of each map, the largest true number] of maps [H, W].

    What is not valid is alike in both. A constant map is 0 after min-max.
    """
    low, high = span
    t = np.where(valid, truth, low).astype(np.float64)
    p = np.where(valid, predicted, low).astype(np.float64)
    p_stretched, t_stretched = (np.where(valid, _stretched(m, m[valid]), 0) for m in (p, t))
    largest = float(truth[valid].max())
    stretched = ssim(p_stretched, t_stretched, valid, 1.0)
    return np.array([ssim(p, t, valid, high - low), stretched, largest])


def _stretched(values: Floats, seen: Floats) -> Floats:
    low, high = seen.min(), seen.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def ssim(predicted: Floats, truth: Floats, valid: Valid, span: float) -> float:
    """Return the mean over valid pixels of the structural similarity of maps [H, W].

    Those whose window leaves the image are left out, as Wang et al. 2004 do, but where no other
    valid ones are there.
    """
    from skimage.metrics import structural_similarity

    _, local = structural_similarity(
        predicted,
        truth,
        data_range=span,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
        K1=K[0],
        K2=K[1],
        full=True,
    )
    inner = np.zeros_like(valid)
    edge = WINDOW // 2
    inner[edge:-edge, edge:-edge] = valid[edge:-edge, edge:-edge]
    return float(local[inner if inner.any() else valid].mean())


def structures(predicted: Valid, truth: Valid) -> Floats:
    """Return the numbers [6] of STRUCTURES of masks [H, W]: components touch at edges or corners.

    A predicted component is false where no pixel of it is of the truth's, a true one missed where
    none is predicted.
    """
    from scipy.ndimage import label

    corners = np.ones((3, 3), int)
    numbers: list[float] = [predicted.sum(), truth.sum()]
    for own, other in ((predicted, truth), (truth, predicted)):
        labelled, count = label(own, corners)
        numbers += [count, count - len(np.unique(labelled[own & other]))]
    return np.array(numbers, np.float64)


def projected(error: Floats, truth: Floats, block: int) -> Floats:
    """Return the lengths [5] of PROJECTED of maps [H, W] under the means A of blocks.

    With A+ the pseudoinverse, which spreads each mean over its block, |A+ A x| = block |A x|: the
    error's part A+ A e is seen in the data, the rest (I - A+ A) e lies in the null space.
    """
    data, truth_data = (_block_means(x.astype(np.float64), block) for x in (error, truth))
    seen = np.repeat(np.repeat(data, block, axis=0), block, axis=1)
    parts = (data, truth_data, seen, error - seen, truth)
    return np.array([np.linalg.norm(part) for part in parts])


def _block_means(values: Floats, block: int) -> Floats:
    height, width = values.shape
    blocks = values.reshape(height // block, block, width // block, block)
    means: Floats = blocks.mean(axis=(1, 3))
    return means


def of_baselines(
    baselines: Mapping[str, Floats],
    truth: Floats,
    valid: Valid,
    facts: MapFacts,
    unmoved: NDArray[np.uint8] | None = None,
) -> dict[str, Floats]:
    """Return the arrays [N, B, M] of `measures` of B baselines' maps."""
    every = [measures(maps, truth, valid, facts, unmoved) for maps in baselines.values()]
    return {name: np.stack([each[name] for each in every], axis=1) for name in every[0]}
