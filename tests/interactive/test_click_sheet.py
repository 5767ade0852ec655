import io

import numpy as np
from PIL import Image

from omnibench.data.sources import load
from omnibench.tasks.interactive.cases import Objects
from omnibench.tasks.interactive.recipes import ClickRecipe
from omnibench.tasks.interactive.sequences import Clicked
from omnibench.tasks.interactive.sheet import (
    CAPTION,
    MARGIN,
    NEGATIVE,
    POSITIVE,
    TILE,
    TRUTH,
    click_sheet,
)
from tests.interactive.conftest import SIDE, Make


def test_the_sheet_shows_the_best_the_median_and_the_worst_object(make: Make) -> None:
    unit, context = make()
    objects = Objects.from_dataset(load(unit.dataset, context.data), ClickRecipe(input_size=SIDE))
    shown: list[int] = []

    def sequence(number: int) -> Clicked:
        shown.append(number)
        truth = objects.target(number).truth
        clicks = np.array([(16, 16, 1), (4, 28, -1), (-1, -1, 0), (-1, -1, 0)], np.int32)
        return Clicked((0, 0), np.full((4, 2), 0.5), clicks, (), (truth,) * 4)

    iou = np.array([[0.2, 0.3], [0.8, 0.9], [0.5, 0.5]])
    sheet = np.asarray(Image.open(io.BytesIO(click_sheet(objects, iou, sequence))))
    assert shown == [1, 2, 0]
    step = TILE + MARGIN
    assert sheet.shape == (MARGIN + 3 * (step + CAPTION), MARGIN + 5 * step, 3)
    top = MARGIN + CAPTION
    row = {k: sheet[top : top + TILE, MARGIN + k * step :][:, :TILE] for k in range(5)}
    place = [int((at + 0.5) * TILE / SIDE) for at in (16, 4, 28)]
    assert (row[1][place[0], place[0]] == POSITIVE).all()
    assert not (row[1][place[1], place[2]] == NEGATIVE).all()  # the second click comes later
    assert (row[2][place[1], place[2]] == NEGATIVE).all()
    assert (row[0] == TRUTH).all(axis=2).any()
    assert (row[4] == 255).all()  # ten clicks were not made
