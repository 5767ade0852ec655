"""The caption sheet: images with what was to be said and what was said."""

import io
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from omnibench.data import Dataset

TILE, MARGIN, LINE, COLUMNS, FONT = 160, 8, 13, 66, 11
WIDTH = 2 * MARGIN + TILE + 6 * COLUMNS
SHOWN = 3  # images of each row: best, median, worst
LINES = TILE // LINE


def caption_sheet(
    dataset: Dataset, predictions: Mapping[str, NDArray[Any]], decoding: str
) -> bytes:
    """A PNG of the best, median and worst test images, by METEOR or, without WordNet, ROUGE-L.

    Args:
        predictions: with "values:omnibench-captioning@DECODING/meteor" or ".../rouge-l".
    """
    prefix = f"values:omnibench-captioning@{decoding}"
    name = "METEOR" if f"{prefix}/meteor" in predictions else "ROUGE-L"
    values = predictions[f"{prefix}/{name.lower()}"]
    order = np.argsort(-values, kind="stable")
    count = min(SHOWN, len(order))
    middle = (len(order) - count) // 2
    rows = {
        "best": order[:count],
        "median": order[middle : middle + count],
        "worst": order[len(order) - count :],
    }
    step = TILE + MARGIN
    sheet = Image.new("RGB", (WIDTH, MARGIN + step * count * len(rows)), "white")
    draw = ImageDraw.Draw(sheet)
    places = [(kind, int(index)) for kind, chosen in rows.items() for index in chosen]
    for row, (kind, index) in enumerate(places):
        top = MARGIN + row * step
        image = dataset.splits["test"].images.read_rows(np.array([index]))[0]
        tile = Image.fromarray(image).convert("RGB")
        sheet.paste(tile.resize((TILE, TILE), Image.Resampling.BILINEAR), (MARGIN, top))
        title = f"{kind}: image {index}, {name} {values[index]:.3f}, {decoding}"
        text = str(predictions[f"test_text@{decoding}"][index]) or "(nothing)"
        lines = [title, *_wrapped("reference", predictions["test_reference"][index])]
        lines += _wrapped("generated", text)
        for place, line in enumerate(lines[:LINES]):
            left = 2 * MARGIN + TILE
            draw.text((left, top + place * LINE), line, fill="black", font_size=FONT)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _wrapped(name: str, text: str) -> list[str]:
    """At most five lines of a text behind its name."""
    lines = textwrap.wrap(f"{name}: {text}", COLUMNS)
    return [*lines[:4], f"{lines[4]} ..."] if len(lines) > 5 else lines
