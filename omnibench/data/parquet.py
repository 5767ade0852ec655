"""Captioned images in parquet files as the Hugging Face hub holds them: `image` and `caption`.

An image is an encoded file inside a row, and rows are reached only a group at a time. So all
images are decoded once, brought to the card's `resolution`, and kept as plain bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Split, Texts, hub
from omnibench.data.image_files import decode, header
from omnibench.data.jsonl import one_line
from omnibench.data.packing import Stream, pack
from omnibench.device import default_threads
from omnibench.errors import DataError

RESOLUTION = 224  # where the card names none: what most encoders read
ROWS = 64  # decoded together
Result = TypeVar("Result")


def read(card: DatasetCard, data_dir: Path, *also: Mapping[str, int]) -> Dataset:
    """Unpack the images once, and read the captions.

    Args:
        card: of a dataset with a `hub`; images are RGB unless its `channels` are 1.
        also: other numbers of images a split that are accepted beside the card's.

    Returns:
        The dataset, its card with the numbers of images that were found. Its digests are the
        SHA-256 of the files and of each split's images as they were unpacked.

    Raises:
        DataError: a file is absent or damaged, the numbers are others, a caption is empty, or an
            image is unreadable or of more than 8 bits.
    """
    files, folder = hub.shards(card, data_dir), data_dir / card.id
    digest = hub.source_digest(card, data_dir)
    counts = {split: sum(map(_rows, paths)) for split, paths in files.items()}
    if counts not in (card.splits, *also):
        raise DataError(
            f"{folder} holds {counts} images where '{card.id}' has {card.splits}; remove the files "
            f"that are not its own and run `bench.py data fetch {card.id}`"
        )
    captions = {
        split: tuple(caption for path in paths for caption in _captions(path))
        for split, paths in files.items()
    }
    side, pixel = card.resolution or RESOLUTION, () if card.channels == 1 else (3,)
    streams = {
        f"{split}_images": _stream(paths, (counts[split], side, side, *pixel))
        for split, paths in files.items()
    }
    name = f"{digest.removeprefix('sha256:')[:16]}-{side}"
    packed = pack(data_dir / "packed" / name, streams, str(folder))
    splits = {
        split: Split(packed[f"{split}_images"], {"captions": Texts(captions[split])})
        for split in files
    }
    digests = {array: images.checksum for array, images in packed.items()}
    card = card.model_copy(update={"splits": counts, "resolution": side})
    return Dataset(card, splits, {"files": digest} | digests)


def _stream(paths: tuple[Path, ...], shape: tuple[int, ...]) -> Stream:
    def chunks() -> Iterator[NDArray[np.uint8]]:
        # Pillow decodes outside Python's lock.
        with ThreadPoolExecutor(default_threads()) as pool:
            for path in paths:
                for first, cells in _batches(path):
                    names = [f"{path}, row {first + place}" for place in range(len(cells))]
                    yield np.stack([*pool.map(_image, cells, [shape[1:]] * len(cells), names)])

    return Stream(shape, chunks)


def _image(cell: Any, shape: tuple[int, ...], where: str) -> NDArray[np.uint8]:
    content = cell["bytes"] if isinstance(cell, dict) and "bytes" in cell else None
    if not isinstance(content, bytes):
        raise DataError(f"{where} holds no image; fetch the file again")
    header(BytesIO(content), where=where)
    return decode(BytesIO(content), shape, where)


def _rows(path: Path) -> int:
    return int(_guarded(path, lambda: pq.read_metadata(path).num_rows))


def _captions(path: Path) -> Iterator[str]:
    cells = _guarded(path, lambda: pq.read_table(path, columns=["caption"]).to_pylist())
    for row, cell in enumerate(cells):
        caption = cell["caption"]
        if not isinstance(caption, str) or not one_line(caption):
            raise DataError(f"{path}, row {row} has no text as its caption; write some there")
        yield one_line(caption)


def _batches(path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Yield the first row and the cells of ROWS images, one block after another."""
    first = 0
    file = _guarded(path, lambda: pq.ParquetFile(path, pre_buffer=False))
    with file:
        batches = file.iter_batches(ROWS, columns=["image"])
        while (batch := _guarded(path, lambda: next(batches, None))) is not None:
            cells = [cell["image"] for cell in batch.to_pylist()]
            yield first, cells
            first += len(cells)


def _guarded(path: Path, act: Callable[[], Result]) -> Result:
    try:
        return act()
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path} cannot be read as parquet ({reason}); delete it and fetch it again"
        ) from error
