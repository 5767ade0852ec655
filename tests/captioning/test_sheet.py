"""The caption sheet: its rows, its words, its size."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Split
from omnibench.tasks.captioning.sheet import LINE, LINES, MARGIN, TILE, WIDTH, caption_sheet

LONG = "There is a large heterogeneous mass in the right upper lobe with spiculated margins. " * 12


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every line of text that is drawn: (left, top, right, text)."""
    lines = []
    text = ImageDraw.ImageDraw.text

    def spy(self: Any, place: Any, line: Any, **options: Any) -> Any:
        right = place[0] + self.textlength(line, font_size=options["font_size"])
        lines.append((*place, right, line))
        return text(self, place, line, **options)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    return lines


def sheet(
    values: list[float],
    said: Any = None,
    reference: str = "A mass.",
    shape: tuple[int, ...] = (20, 30),
    name: str = "meteor",
) -> Any:
    """Of images whose pixels all have the value 10 x their number."""
    count = len(values)
    images = np.zeros((count, *shape), np.uint8)
    images += (10 * np.arange(count, dtype=np.uint8)).reshape(count, *[1] * len(shape))
    card = DatasetCard(id="d", reader="a:b", tasks=("captioning",))
    said = said or [f"text {index}" for index in range(count)]
    predictions = {
        "test_reference": np.array([reference] * count, object),
        "test_text@b1-t8": np.array(["another decoding"] * count, object),
        "test_text@b4-t8": np.array(said, object),
        "values:omnibench-captioning@b1-t8/meteor": np.zeros(count),
        f"values:omnibench-captioning@b4-t8/{name}": np.array(values),
    }
    predictions["values:omnibench-captioning@b4-t8/rouge-l"] = np.array(values)
    content = caption_sheet(
        Dataset(card, {"test": Split(ArrayImages(images))}), predictions, "b4-t8"
    )
    return Image.open(io.BytesIO(content))


VALUES = [0.5, 0.1, 0.9, 0.2, 0.6, 0.3, 0.8, 0.4, 0.0, 0.7, 1.0]  # of eleven images
ROWS = (
    *(("best", 10), ("best", 2), ("best", 6)),
    *(("median", 4), ("median", 0), ("median", 7)),
    *(("worst", 3), ("worst", 1), ("worst", 8)),
)


def test_a_row_an_image_from_the_best_to_the_worst(drawn: list[Any]) -> None:
    actual = sheet(VALUES)
    actual.load()
    assert (actual.format, actual.mode) == ("PNG", "RGB")
    assert actual.size == (WIDTH, MARGIN + 9 * (TILE + MARGIN))
    titles = [line for *_, line in drawn if "image " in line]
    assert titles == [
        f"{kind}: image {index}, METEOR {VALUES[index]:.3f}, b4-t8" for kind, index in ROWS
    ]
    texts = [line for *_, line in drawn if line.startswith("generated")]
    assert texts == [f"generated: text {index}" for _, index in ROWS]
    assert sum(line == "reference: A mass." for *_, line in drawn) == 9
    for row, (_, index) in enumerate(ROWS):
        middle = MARGIN + row * (TILE + MARGIN) + TILE // 2
        assert actual.getpixel((MARGIN + TILE // 2, middle)) == (10 * index,) * 3


def test_without_meteor_rouge_l_takes_its_place(drawn: list[Any]) -> None:
    sheet(VALUES, name="rouge-l")
    titles = [line for *_, line in drawn if "image " in line]
    assert titles[0] == "best: image 10, ROUGE-L 1.000, b4-t8"


def test_long_captions_are_shortened_to_their_row(drawn: list[Any]) -> None:
    sheet([0.5, 0.4, 0.3], said=[LONG] * 3, reference=LONG.upper())
    assert sum(line.endswith(" ...") for *_, line in drawn) == 2 * 9
    for row in range(9):
        top = MARGIN + row * (TILE + MARGIN)
        inside = [(y, line) for _, y, _, line in drawn if top <= y < top + TILE + MARGIN]
        assert len(inside) == 11 <= LINES
        assert max(y for y, _ in inside) + LINE <= top + TILE
        assert sum(line.startswith("generated: There is") for _, line in inside) == 1


def test_words_stay_on_the_sheet(drawn: list[Any]) -> None:
    sheet([0.5], said=[LONG], reference=LONG)
    assert drawn
    assert max(right for _, _, right, _ in drawn) <= WIDTH


def test_fewer_images_than_places_colour_and_nothing_said(drawn: list[Any]) -> None:
    actual = sheet([0.5, 0.7], said=["", "Größe ≈ 3 µm²"], shape=(16, 16, 3))
    assert actual.size == (WIDTH, MARGIN + 6 * (TILE + MARGIN))
    lines = [line for *_, line in drawn]
    assert lines.count("generated: (nothing)") == lines.count("generated: Größe ≈ 3 µm²") == 3
