from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data.reading import as_read

Image = pytest.importorskip("PIL.Image")
BEFORE = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("sides", "turn", "options", "changed"),
    [
        ([(512, 300), (20, 30)], 1, {}, False),  # digests that records hold stay
        ([(513, 300)], 1, {}, True),
        ([(513, 300)], 1, {"sides": False}, False),
        ([(20, 30)], 6, {}, True),
        ([(20, 30)], 6, {"sides": False}, True),
        ([(512, 300), (20, 30)], 1, {"masks": ["mask.png"]}, True),
        ([(20, 30), (20, 30)], 1, {"masks": ["mask.png"]}, False),
        ([(20, 30)], 1, {"masks": ["turned.png"]}, True),
    ],
)
def test_files_that_are_read_otherwise_have_another_digest(
    tmp_path: Path, sides: list[tuple[int, int]], turn: int, options: dict[str, Any], changed: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    for index, side in enumerate(sides):
        Image.fromarray(np.zeros(side, np.uint8)).save(tmp_path / f"{index}.jpg", exif=exif)
    mask = Image.new("L", (30, 20))
    mask.save(tmp_path / "mask.png")
    exif[0x0112] = 3
    mask.save(tmp_path / "turned.png", exif=exif)
    names = [f"{index}.jpg" for index in range(len(sides))]
    (tmp_path / "broken.jpg").write_bytes(b"x")
    for _ in range(2):  # looked up, then recalled
        digest = as_read(BEFORE, tmp_path, [*names, "broken.jpg"], tmp_path / "data", **options)
        assert (digest != BEFORE) == changed
