"""The images of test cases, as small pictures inside a page; read where a dataset is on disk."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.cards import DatasetCard
from omnibench.cell import Unit
from omnibench.data import Dataset, Split
from omnibench.data.sources import load, missing, source_digest
from omnibench.data.subset import limited
from omnibench.errors import DataError, OmnibenchError
from omnibench.samples import CaseAnswers
from omnibench.window import Window, window_of

QUALITY = 70  # of WebP


class Thumbnails:
    """Small pictures of test images; the last dataset is held for the next page.

    Args:
        data: the data folder; nothing is fetched into it.
        side: pixels of the longer side.
    """

    def __init__(self, data: Path, side: int) -> None:
        self._data, self.side = data, side
        self._splits: dict[tuple[str, int | None, Window | None], Split] = {}

    def images(self, unit: Unit, cases: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Return the images [H, W, 3] of a unit's test cases, the middle one of a study.

        Raises:
            DataError: the dataset is absent, cannot be read, or is not what the records saw.
        """
        split = self._split(unit)
        return [self._image(split, case) for case in cases]

    def _split(self, unit: Unit) -> Split:
        window = window_of(unit.recipe)
        key = (unit.dataset.id, unit.recipe["limit"], window)
        if key not in self._splits:
            card = unit.dataset
            if absent := missing(card, self._data):
                raise DataError("; ".join(absent))
            if source_digest(card, self._data) != unit.sources["dataset"]:
                raise DataError(f"{card.id} is other than when the records were made")
            dataset = limited(_read(card, self._data).windowed(window), unit.recipe["limit"])
            self._splits = {key: dataset.splits["test"].at(self.side)}
        return self._splits[key]

    def _image(self, split: Split, case: int) -> NDArray[np.uint8]:
        images = split.images_of(case)
        middle = images[len(images) // 2 :][:1]
        pixels = np.asarray(split.images.read_rows(middle)[0], np.uint8)
        picture = Image.fromarray(pixels.squeeze()).convert("RGB")
        scale = self.side / max(picture.size)
        width, height = (max(1, round(scale * side)) for side in picture.size)
        return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _read(card: DatasetCard, data: Path) -> Dataset:
    """Read a dataset; of a generated one the test split alone, unless its reader needs all."""
    try:
        return load(_test_alone(card), data)
    except OmnibenchError:
        raise
    except Exception:  # of a reader from outside
        try:
            return load(card, data)
        except OmnibenchError:
            raise
        except Exception as error:
            raise DataError(f"{card.id} cannot be read: {error}") from error


def _test_alone(card: DatasetCard) -> DatasetCard:
    """Return the card of a generated dataset with its test split alone, which is quicker drawn."""
    stored = card.path or card.files or card.hub or card.request or card.members or card.package
    test = {name: count for name, count in card.splits.items() if name == "test"}
    return card if stored or not test else card.model_copy(update={"splits": test})


def address(image: NDArray[np.uint8]) -> str:
    """Return an image [H, W, 3] as a WebP address that needs no file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def painted(answers: CaseAnswers, case: int, image: NDArray[np.uint8]) -> str:
    """Return the image with what a model predicted laid over it; "" where there is nothing."""
    return address(answers.paint(case, image)) if answers.paint is not None else ""
