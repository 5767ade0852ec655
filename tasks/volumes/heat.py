"""The heat map: which slice decides a study, and which patches of it.

Of each of the studies that a model is surest of: the slice of the largest weight, the same under
the last block's attention of the class token to the patches (mean over heads) times that weight,
as AnyMC3D (arXiv:2512.12887) has it, and the weights of all slices.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.special import expit, softmax
from torch import Tensor

from omnibench.task import Predictions
from omnibench.tasks.classification.cases import Cases

from .bags import Layout
from .studies import WEIGHT

SHOWN = 3  # studies
TILE, MARGIN, CAPTION, BARS = 160, 8, 16, 28
WARM, GREY = (230, 40, 40), (150, 150, 150)
OPACITY = 0.7  # where the heat is the sheet's largest
# (uint8 images, number of their view) -> attention to patches [n, h, w], where it can be had.
HeatOf = Callable[[Tensor, int], Tensor | None]


@dataclass(frozen=True)
class Row:
    """What is drawn of a study.

    Attributes:
        tile: the slice of its largest weight.
        heat: [h, w], of that slice's patches; None where it is not known.
        weights: [V, T] of all slices, NaN where there is none.
    """

    caption: str
    tile: Image.Image
    heat: NDArray[np.floating[Any]] | None
    weights: NDArray[np.floating[Any]]


def heat_sheet(
    cases: Cases, layout: Layout, views: tuple[str, ...], predictions: Predictions, heat_of: HeatOf
) -> bytes:
    """Return a PNG of the studies that the model is surest of, a row each.

    Args:
        layout: of the test split, whose slices have the weights of the predictions.
    """
    weights = predictions[WEIGHT].reshape(layout.rows.shape)
    logits = predictions["test_logits"].astype(np.float64)
    shares = expit(logits) if cases.multi_label else softmax(logits, axis=1)
    rows = []
    for study in surest(shares):
        own = weights[study]
        view, place = (int(index) for index in np.unravel_index(np.nanargmax(own), own.shape))
        name = int(shares[study].argmax())
        truth = cases.labels["test"][study]
        right = truth[name] == 1 if cases.multi_label else truth == name
        caption = (
            f"study {study}, {views[view]} slice {place + 1} of {layout.there[study, view].sum()}: "
            f"{cases.dataset.card.classes[name]} {shares[study, name]:.2f}, "
            f"{'right' if right else 'wrong'}"
        )
        images = cases.dataset.splits["test"].images.read_rows(layout.rows[study, view, [place]])
        attention = heat_of(torch.from_numpy(np.ascontiguousarray(images)), view)
        heat = None if attention is None else attention[0].cpu().numpy() * own[view, place]
        tile = Image.fromarray(images[0]).convert("RGB").resize((TILE, TILE))
        rows.append(Row(caption, tile, heat, own))
    return _drawn(rows)


def _drawn(rows: Sequence[Row]) -> bytes:
    largest = max((float(row.heat.max()) for row in rows if row.heat is not None), default=0.0)
    step = CAPTION + TILE + BARS + 2 * MARGIN
    sheet = Image.new("RGB", (2 * TILE + 3 * MARGIN, MARGIN + step * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = MARGIN + number * step
        draw.text((MARGIN, top), row.caption, fill="black", font_size=11)
        sheet.paste(row.tile, (MARGIN, top + CAPTION))
        if row.heat is not None:
            warm = painted(row.tile, row.heat / (largest or 1.0))
            sheet.paste(warm, (TILE + 2 * MARGIN, top + CAPTION))
        _draw_bars(draw, row.weights, top + CAPTION + TILE + MARGIN)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def surest(shares: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the studies of the largest probability [S, C] of any class; equals in file order."""
    return np.argsort(-shares.max(axis=1), kind="stable")[:SHOWN]


def painted(tile: Image.Image, heat: NDArray[np.floating[Any]]) -> Image.Image:
    """Return a tile under a heat [h, w] of 0 to 1, smoothly enlarged."""
    wide = Image.fromarray(heat.astype(np.float32)).resize(tile.size, Image.Resampling.BILINEAR)
    opacity = OPACITY * np.asarray(wide)[..., None]
    mixed = (1 - opacity) * np.asarray(tile) + opacity * np.array(WARM)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def _draw_bars(draw: ImageDraw.ImageDraw, weights: NDArray[np.floating[Any]], top: int) -> None:
    """Draw the weights [V, T] of a study's slices, a view after the other, the largest warm."""
    there = np.isfinite(weights)
    count = there.sum() + len(weights) - 1  # a gap between views
    width, largest = (2 * TILE + MARGIN) / count, np.nanmax(weights)
    place = 0
    for own, present in zip(weights, there, strict=True):
        for weight in own[present]:
            left = MARGIN + place * width
            box = (left, top + BARS * (1 - weight / largest), left + 0.8 * width, top + BARS)
            draw.rectangle(box, fill=WARM if weight == largest else GREY)
            place += 1
        place += 1
