"""The overlay sheet: where a model's masks are right, too large, and too small."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from omnibench.data.declaration import VOID

from .cases import Cases, Predict, nearest
from .metrics import per_image_foreground

TILE, MARGIN, CAPTION = 224, 8, 16
# As the study's Figure 3: what is right, predicted beyond the truth, and missed.
CORRECT, OVER, MISSED = (0, 170, 60), (30, 90, 255), (230, 40, 40)
OPACITY = 0.5
SHOWN = 3  # images of each row: best, median, worst


def overlay_sheet(cases: Cases, counts: NDArray[np.integer[Any]], predict: Predict) -> bytes:
    """A PNG of the best, median and worst test images by per-image foreground Dice.

    Args:
        counts: [N, C, 4] of the test images.
        predict: gives class indices at the size of scoring.
    """
    dice = per_image_foreground({"test_counts": counts})["dice"]
    rows = {
        name: [_tile(cases, int(index), predict, float(dice[index])) for index in chosen]
        for name, chosen in chosen_images(dice).items()
    }
    step = TILE + MARGIN
    width = MARGIN + step * max(2 * len(tiles) for tiles in rows.values())
    sheet = Image.new("RGB", (width, MARGIN + (step + CAPTION) * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (name, tiles) in enumerate(rows.items()):
        top = MARGIN + row * (step + CAPTION)
        for column, (text, *pair) in enumerate(tiles):
            left = MARGIN + 2 * column * step
            draw.text((left, top), f"{name}: {text}", fill="black", font_size=12)
            for place, tile in enumerate(pair):
                sheet.paste(tile, (left + place * step, top + CAPTION))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def chosen_images(dice: NDArray[np.float64]) -> dict[str, NDArray[np.intp]]:
    """Indices of the best, the median and the worst images; equals in file order."""
    order = np.argsort(-dice, kind="stable")
    count = min(SHOWN, len(order))
    middle = (len(order) - count) // 2
    return {
        "best": order[:count],
        "median": order[middle : middle + count],
        "worst": np.argsort(dice, kind="stable")[:count],
    }


def _tile(
    cases: Cases, index: int, predict: Predict, dice: float
) -> tuple[str, Image.Image, Image.Image]:
    row = np.array([index])
    image = Image.fromarray(cases.dataset.splits["test"].images.read_rows(row)[0]).convert("RGB")
    image = image.resize((TILE, TILE), Image.Resampling.BILINEAR)
    predicted, truth = (
        nearest(np.asarray(masks[0], np.uint8)[None], (TILE, TILE))[0]
        for masks in (predict("test", row), cases.truth("test", row))
    )
    painted = paint(np.asarray(image), predicted, truth)
    return f"image {index}, Dice {dice:.3f}", image, Image.fromarray(painted)


def paint(
    image: NDArray[np.uint8], predicted: NDArray[np.uint8], truth: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Lay the colours over an RGB image [H, W, 3].

    Green: the right foreground class. Blue: foreground where truth is background. Red: truth's
    foreground predicted as background. Another class's foreground is both, blue and red mixed.
    Where truth is VOID nothing is laid.
    """
    predicted, truth = (np.where(truth == VOID, 0, masks) for masks in (predicted, truth))
    colours = np.zeros((*truth.shape, 3))
    right, predicted_there, there = predicted == truth, predicted > 0, truth > 0
    colours[right & there] = CORRECT
    colours[predicted_there & ~there] = OVER
    colours[there & ~predicted_there] = MISSED
    colours[predicted_there & there & ~right] = np.mean([OVER, MISSED], axis=0)
    covered = (predicted_there | there)[..., None]
    mixed = np.where(covered, (1 - OPACITY) * image + OPACITY * colours, image)
    return np.rint(mixed).astype(np.uint8)
