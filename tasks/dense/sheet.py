"""The sheet of maps: images, what is true, what was predicted, and how far off that is."""

import io

import numpy as np
from PIL import Image

from omnibench.task import Predictions

from .cases import Cases, Predict
from .metrics import errors

SHOWN, TILE, MARGIN = 4, 160, 4  # test images; pixels


def sheet(cases: Cases, predictions: Predictions, predict: Predict) -> bytes:
    """Return a PNG with a row for each of the images whose errors are spread evenly by rank.

    From left to right: image, and of each channel truth, prediction (black and white are the ends
    of the declared range), and the absolute error (white is a quarter of the range). What is not
    valid is black.
    """
    order = np.argsort(errors(predictions)["mae"], kind="stable")
    rows = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).astype(int)]
    low, high = cases.facts.range
    truth, valid = cases.truth("test", rows)
    maps = predict("test", rows)
    images = cases.dataset.splits["test"].images.read_rows(rows)
    grey = images if images.ndim == 3 else images.mean(axis=3)
    columns = [grey]
    for channel in np.ndindex(truth.shape[3:]):
        own, other = truth[..., *channel], maps[..., *channel]
        columns += [np.where(valid, 255 * (m - low) / (high - low), 0) for m in (own, other)]
        columns.append(np.where(valid, 4 * 255 * np.abs(other - own) / (high - low), 0))
    step = TILE + MARGIN
    whole = Image.new("L", (MARGIN + step * len(columns), MARGIN + step * len(rows)), 255)
    for column, tiles in enumerate(columns):
        for row, tile in enumerate(np.clip(tiles, 0, 255).astype(np.uint8)):
            enlarged = Image.fromarray(tile).resize((TILE, TILE), Image.Resampling.NEAREST)
            whole.paste(enlarged, (MARGIN + step * column, MARGIN + step * row))
    buffer = io.BytesIO()
    whole.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
