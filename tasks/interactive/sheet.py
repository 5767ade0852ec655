"""The sheet of click sequences: how masks grow with the clicks."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from omnibench.tasks.segmentation.cases import nearest
from omnibench.tasks.segmentation.distances import boundary

from .cases import Objects
from .sequences import Clicked
from .simulators import Bits

TILE, MARGIN, CAPTION = 224, 8, 16
SHOWN_AFTER = (1, 3, 5, 10)  # clicks
# The colours of the overlay sheet; a true outline is yellow.
POSITIVE, NEGATIVE, MASK, TRUTH = (0, 170, 60), (230, 40, 40), (30, 90, 255), (255, 210, 0)
OPACITY = 0.4
ARM = 4  # pixels of a mark from its centre


def click_sheet(
    objects: Objects, iou: NDArray[np.float64], sequence: Callable[[int], Clicked]
) -> bytes:
    """A PNG of the objects with the best, the median and the worst IoU over all clicks.

    A row each: the image with the true outline, then the mask after each of SHOWN_AFTER clicks.

    Args:
        iou: [N, K] of every object.
        sequence: clicks at an object once more, with the masks after SHOWN_AFTER clicks.
    """
    order = np.argsort(-iou.mean(axis=1), kind="stable")
    chosen = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    step = TILE + MARGIN
    width = MARGIN + step * (1 + len(SHOWN_AFTER))
    sheet = Image.new("RGB", (width, MARGIN + (step + CAPTION) * len(chosen)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (name, number) in enumerate(chosen.items()):
        top = MARGIN + place * (step + CAPTION)
        tiles = _tiles(objects, int(number), sequence(int(number)))
        for column, (text, tile) in enumerate(tiles):
            left = MARGIN + column * step
            text = f"{name}: {text}" if column == 0 else text
            draw.text((left, top), text, fill="black", font_size=12)
            sheet.paste(tile, (left, top + CAPTION))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _tiles(objects: Objects, number: int, clicked: Clicked) -> list[tuple[str, Image.Image]]:
    row, target = int(objects.rows[number]), objects.target(number)
    card = objects.cases.dataset.card
    pixels = objects.cases.dataset.splits["test"].images.read_rows(np.array([row]))[0]
    image = Image.fromarray(pixels).convert("RGB").resize((TILE, TILE), Image.Resampling.BILINEAR)
    outline = boundary(_tile(target.truth))
    name = card.mask_classes[int(objects.labels[number])]
    tiles = [(f"image {row}, {name}", _painted(image, None, outline, [], target.truth.shape))]
    for k, mask in zip(SHOWN_AFTER, clicked.masks, strict=True):
        if k > len(clicked.overlaps):
            break
        clicks = [click for click in clicked.clicks[:k].tolist() if click[2]]
        text = f"{k} click{'s' if k > 1 else ''}, IoU {clicked.overlaps[k - 1, 0]:.3f}"
        tiles.append((text, _painted(image, mask, outline, clicks, mask.shape)))
    return tiles


def _painted(
    image: Image.Image,
    mask: Bits | None,
    outline: NDArray[np.intp],
    clicks: Sequence[Any],
    shape: tuple[int, ...],
) -> Image.Image:
    """Lay a mask, the true outline and the marks of clicks over an image."""
    pixels = np.asarray(image, np.float64).copy()
    if mask is not None:
        inside = _tile(mask)
        pixels[inside] = (1 - OPACITY) * pixels[inside] + OPACITY * np.array(MASK)
    pixels[tuple(outline.T)] = TRUTH
    painted = Image.fromarray(np.rint(pixels).astype(np.uint8))
    draw = ImageDraw.Draw(painted)
    for row, column, sign in clicks:
        y, x = (
            (place + 0.5) * TILE / side for place, side in zip((row, column), shape, strict=True)
        )
        for colour, thick in (("white", 4), (POSITIVE if sign > 0 else NEGATIVE, 2)):
            draw.line((x - ARM, y, x + ARM, y), fill=colour, width=thick)
            if sign > 0:
                draw.line((x, y - ARM, x, y + ARM), fill=colour, width=thick)
    return painted


def _tile(mask: Bits) -> Bits:
    tile: Bits = nearest(mask.astype(np.uint8)[None], (TILE, TILE))[0] > 0
    return tile
