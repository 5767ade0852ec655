"""RadImageNet (Mei et al. 2022): CT, MR and ultrasound slices; here without labels.

It has no download: its authors give it on request. `radimagenet` is the images in
DATA/radimagenet/, at any depth as they are unpacked (radiology_ai/CT/lung/normal/...). With the
release's RadiologyAI_train.csv beside them only the training images it names are taken.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
from pathlib import Path

from omnibench import DatasetCard, register_dataset
from omnibench.data import Dataset, Reader, local_card
from omnibench.data.listing import files_below, image_names, is_image
from omnibench.errors import DataError
from omnibench.files import open_regular

TRAINING_LIST = "RadiologyAI_train.csv"
TOP_FOLDER = "radiology_ai/"  # the lists' names begin with it, wherever it is unpacked
log = logging.getLogger("omnibench")

CARD = register_dataset(
    DatasetCard(
        id="radimagenet",
        reader="radimagenet",
        request="https://www.radimagenet.com",
        tasks=("pretraining",),
        modality="CT, MR and ultrasound",
        splits={"train": 1_080_000, "val": 135_000, "test": 135_000},
        licence="on request",
        citation="doi:10.1148/ryai.210315",
        bib="mei2022radimagenet",
    )
)


def card_of(path: Path) -> DatasetCard:
    """Return the card of `radimagenet:PATH`, an unpacked copy that lies elsewhere.

    Raises:
        DataError: as `training_names`.
    """
    splits = {"train": len(training_names(path))}
    return local_card("radimagenet", path, tasks=CARD.tasks, splits=splits)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return the training images as `omnibench.data.pool.read` does."""
    from omnibench.data import pool

    return pool.read(card, data_dir)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `training_names`.
    """
    return path, training_names(path)


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the training images' names and sizes in bytes, not of their content.

    Reading 1.35 million files would take hours each time the folder moves; so an image that was
    changed without changing its length goes unnoticed.

    Raises:
        DataError: as `training_names`, or a file is gone.
    """
    digest = hashlib.sha256()
    for name in training_names(path):
        try:
            size = (path / name).stat().st_size
        except OSError as error:
            raise DataError(
                f"{path / name} cannot be read ({error.strerror}); unpack it again or remove it"
            ) from error
        digest.update(f"{name}\0{size}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def training_names(root: Path) -> tuple[str, ...]:
    """Return the names of the training images relative to the folder, sorted.

    They are those that the training list names, wherever in the folder it lies; without it, all.
    Images that it names and that are not there are counted in a warning.

    Raises:
        DataError: there is no image, or none that the list names, or the list is unreadable, or as
            `images.files_below`.
    """
    files = sorted(files_below(root))
    lists = [root / name for name in files if name.rpartition("/")[2] == TRAINING_LIST]
    if not lists:
        return image_names(root)
    wanted = _listed(lists[0])
    names = tuple(name for name in files if is_image(name) and _key(name) in wanted)
    if not names:
        raise DataError(
            f"{root} holds no image that {lists[0]} names; unpack {TOP_FOLDER} there, or remove "
            "the list to take every image"
        )
    absent = len(wanted) - len({_key(name) for name in names})
    if absent:
        log.warning("%s lacks %d of the images that %s names", root, absent, lists[0])
    return names


def _key(name: str) -> str:
    """Return what follows the top folder in a name."""
    return name.rpartition(TOP_FOLDER)[2]


def _listed(path: Path) -> set[str]:
    try:
        with io.TextIOWrapper(open_regular(path), "utf-8-sig", newline="") as file:
            return {_key(row["filename"] or "") for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV ({error}); get it again") from error
    except KeyError as error:
        raise DataError(f"{path} has no column 'filename'; get it again") from error


READER = Reader(
    "radimagenet",
    card_of,
    read,
    source_digest=source_digest,
    training_files=training_files,
)
