import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.overlay import (
    CAPTION,
    MARGIN,
    TILE,
    chosen_images,
    overlay_sheet,
    paint,
)


def test_colours_tell_right_over_missed_and_the_wrong_class() -> None:
    truth = np.array([[0, 1, 2], [1, 0, 1]], np.uint8)
    predicted = np.array([[0, 1, 2], [0, 2, 2]], np.uint8)
    image = np.full((2, 3, 3), 100, np.uint8)
    painted = paint(image, predicted, truth)
    assert painted.dtype == np.uint8
    # Half of the image's 100, half of: nothing, green, green / red, blue, both.
    assert painted.tolist() == [
        [[100, 100, 100], [50, 135, 80], [50, 135, 80]],
        [[165, 70, 70], [65, 95, 178], [115, 82, 124]],
    ]
    assert (image == 100).all()


def test_the_best_the_median_and_the_worst() -> None:
    dice = np.array([0.5, 0.9, 0.1, 0.7, 0.3, 0.8, 0.2, 0.6, 0.4])
    chosen = {name: actual.tolist() for name, actual in chosen_images(dice).items()}
    assert chosen == {"best": [1, 5, 3], "median": [7, 0, 8], "worst": [2, 6, 4]}


@pytest.mark.parametrize(
    ("dice", "best", "median", "worst"),
    [
        ([0.5, 1, 1, 1, 1], [1, 2, 3], [2, 3, 4], [0, 1, 2]),
        ([0.9, 0.1, 0.1, 0.1, 0.1], [0, 1, 2], [1, 2, 3], [1, 2, 3]),
        ([0.2, 0.8], [1, 0], [1, 0], [0, 1]),
        ([0.7], [0], [0], [0]),
    ],
)
def test_equals_come_in_file_order_and_few_images_are_all_shown(
    dice: list[Any], best: list[int], median: list[int], worst: list[int]
) -> None:
    chosen = {name: actual.tolist() for name, actual in chosen_images(np.array(dice)).items()}
    assert chosen == {"best": best, "median": median, "worst": worst}


def sheet(count: int, channels: int = 1) -> tuple[Image.Image, np.ndarray]:
    """The sheet of images of which image i is predicted right in i of eight rows."""
    truth = np.zeros((count, 16, 16), np.uint8)
    truth[:, 4:12] = 1
    predicted = np.zeros_like(truth)
    for index in range(count):
        predicted[index, 4 : 4 + index] = 1
    pixel = (3,) if channels == 3 else ()
    images = np.full((count, 16, 16, *pixel), 200, np.uint8)
    split = Split(ArrayImages(images), {"masks": Masks(ArrayImages(truth))})
    card = DatasetCard(id="x", reader="a:b", tasks=("segmentation",), mask_classes=("no", "yes"))
    data = Dataset(card, dict.fromkeys(("train", "val", "test"), split))
    cases = Cases.from_dataset(data, 32, "native", None)
    content = overlay_sheet(cases, counts_of(predicted, truth, 2), lambda _, rows: predicted[rows])
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return image, np.asarray(image)


@pytest.mark.parametrize(("count", "channels", "shown"), [(8, 1, 3), (5, 3, 3), (2, 1, 2)])
def test_the_sheet_has_three_rows_of_pairs(count: int, channels: int, shown: int) -> None:
    image, pixels = sheet(count, channels)
    step = TILE + MARGIN
    assert image.size == (MARGIN + 2 * shown * step, MARGIN + 3 * (step + CAPTION))
    order = list(range(count))[::-1]  # from best to worst
    middle = (count - shown) // 2
    rows = (order[:shown], order[middle : middle + shown], order[::-1][:shown])
    for row, indices in enumerate(rows):
        top = MARGIN + row * (step + CAPTION) + CAPTION
        assert (pixels[top - CAPTION : top, MARGIN : MARGIN + step] < 128).any()  # the caption
        for column, index in enumerate(indices):
            left = MARGIN + 2 * column * step
            plain, painted = (
                pixels[top : top + TILE, start : start + TILE] for start in (left, left + step)
            )
            assert (plain == 200).all()
            # Sixteenths of the tile: a quarter untouched, then `index` green, the others red.
            centres = painted[TILE // 32 :: TILE // 16, TILE // 2].tolist()
            green, red, none = [100, 185, 130], [215, 120, 120], [200, 200, 200]
            assert centres == [none] * 4 + [green] * index + [red] * (8 - index) + [none] * 4
