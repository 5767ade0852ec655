"""Heat around centrelines against every pixel by hand, and a head that is trained on it."""

from typing import Any

import numpy as np
import pytest
import torch
from skimage.morphology import skeletonize
from torch.nn.functional import interpolate

from omnibench.catalogue import tasks
from omnibench.data.declaration import VOID
from omnibench.errors import RequestError
from omnibench.tasks.segmentation.targets import centreline_heat
from omnibench.tasks.segmentation.trial import prepare
from omnibench.training.job import Batch


def bars() -> Any:
    """A thick bar of class 1 beside a thin one of class 2, one that is void, and no bar at all."""
    masks = np.zeros((2, 20, 24), np.uint8)
    masks[0, 3:8, 2:20], masks[0, 12:14, 4:22] = 1, 2
    masks[0, :, 23] = VOID
    return masks


def by_hand(mask: Any, classes: int, sigma: float) -> Any:
    lines = [
        (index, *point)
        for index in range(1, classes)
        for point in np.argwhere(skeletonize(mask == index))
    ]
    heat = np.zeros((classes, *mask.shape))
    for row, column in np.argwhere(mask != VOID):
        apart = [np.hypot(y - row, x - column) for _, y, x in lines]
        warm = np.exp(-(min(apart) ** 2) / (2 * sigma**2))
        heat[0, row, column] = 1 - warm
        heat[lines[int(np.argmin(apart))][0], row, column] = warm
    return heat


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_heat_is_that_of_the_nearest_centreline(sigma: float) -> None:
    masks = bars()
    heat = centreline_heat(masks, 3, sigma)
    expected = by_hand(masks[0], 3, sigma)
    # A pixel between two centrelines, as far from both, may go to either.
    assert heat[0, 1:].max(axis=0) == pytest.approx(expected[1:].max(axis=0), abs=1e-6)
    assert (np.abs(heat[0] - expected).max(axis=0) > 1e-6).mean() < 0.1
    lines = skeletonize(masks[0] == 2)
    assert (heat[0, 2][lines] == 1).all()


def test_shares_add_up_to_one_but_for_void_and_all_is_background_without_a_mask() -> None:
    masks = bars()
    heat = centreline_heat(masks, 3, 2.0)
    assert heat.sum(axis=1) == pytest.approx((masks != VOID).astype(float), abs=1e-6)
    assert (heat[1, 0] == 1).all()
    assert not heat[1, 1:].any()


def test_half_the_heat_is_a_tube_of_one_width_whatever_the_mask_has() -> None:
    thick, thin = np.zeros((2, 1, 31, 40), np.uint8)
    thick[0, 10:21], thin[0, 15] = 1, 1
    tubes = [centreline_heat(mask, 2, 2.0)[0, 1] > 0.5 for mask in (thick, thin)]
    # exp(-d^2 / 8) = 1 / 2 at 2.35 pixels, so that two lie on either side of the line.
    assert [int(tube[:, 20].sum()) for tube in tubes] == [5, 5]


def test_the_loss_is_the_cross_entropy_with_the_target_of_the_options(make: Any) -> None:
    rows = torch.arange(4)
    choices: list[dict[str, Any]] = [{}, {"target": "centreline", "sigma": 3.0}]
    for options in choices:
        unit, context = make(options=options)
        trial: Any = prepare(unit, context, tasks.get("segmentation").adaptations["linear"])(0)
        loss = float(trial.loss(Batch(0, rows, rows, rows)))
        with torch.no_grad():
            logits = interpolate(trial.model("train", rows.numpy()).float(), 64, mode="bilinear")
        masks = trial.cases.masks("train", rows.numpy())
        classes = np.moveaxis(np.eye(2)[masks], -1, 1)
        shares = centreline_heat(masks, 2, 3.0) if options else classes
        expected = -(shares * logits.log_softmax(1).numpy()).sum() / (4 * 64 * 64)
        assert loss == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("adaptation", "options", "message"),
    [
        ("linear", {"sigma": 3.0}, "sigma is of target: centreline"),
        ("decoder", {"target": "centreline", "sigma": 0}, "greater than 0"),
        ("decoder", {"target": "centreline", "sigma": float("nan")}, "finite number"),
        ("linear", {"target": "skeleton"}, "'mask' or 'centreline'"),
        ("full", {"target": "centreline"}, "target: unknown field"),
    ],
)
def test_options_without_a_sense_are_refused(adaptation: str, options: Any, message: str) -> None:
    own = tasks.get("segmentation").adaptations[adaptation]
    with pytest.raises(RequestError, match=message):
        own.resolve_options(options, "adaptations[0]")


def test_what_a_pixel_of_numbers_is_trained_on_has_no_centreline() -> None:
    for name in ("decoder", "linear"):
        own = tasks.get("dense").adaptations[name]
        with pytest.raises(RequestError, match="target: unknown field"):
            own.resolve_options({"target": "centreline"}, "adaptations[0]")
