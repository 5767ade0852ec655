"""Image folders without labels: every image at any depth, for pretraining; no layout is asked.

Hidden files and folders are left alone, as are files that are no image by their name, and links to
folders, whose images are listed where they lie.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Reader, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.folder import SUFFIXES, ending, instead, visible
from omnibench.errors import DataError

NOT_UTF8 = re.compile("[\udc80-\udcff]")  # how Python shows bytes of a file name that are none


def card_of(path: Path) -> DatasetCard:
    """Return the card of `images:PATH`, from the names in it; no image is opened.

    Raises:
        DataError: as `image_names`.
    """
    return local_card(
        "images", path, tasks=("pretraining",), splits={"train": len(image_names(path))}
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return the dataset as `omnibench.data.pool.read` does."""
    from omnibench.data import pool

    return pool.read(card, data_dir)


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the images and their places in the folder.

    Raises:
        DataError: as `image_names`, or a file cannot be read.
    """
    from omnibench.data.reading import as_read

    names = image_names(path)
    digest = f"sha256:{sha256_of_folder(path, names, data_dir)}"
    return as_read(digest, path, names, data_dir, sides=False)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `image_names`.
    """
    return path, image_names(path)


def left_out(path: Path) -> dict[str, int]:
    """Return how many files of each ending are no image by their name."""
    return dict(Counter(ending(name) for name in files_below(path) if not is_image(name)))


def image_names(root: Path) -> tuple[str, ...]:
    """Return the images' names relative to the folder, sorted.

    Raises:
        DataError: as `files_below`, or there is no image.
    """
    files = list(files_below(root))
    names = sorted(name for name in files if is_image(name))
    if not names:
        raise DataError(
            f"{root} holds no image ({', '.join(SUFFIXES)}) at any depth; put some there or "
            f"correct the path{instead(Counter(map(ending, files)))}"
        )
    return tuple(names)


def is_image(name: str) -> bool:
    """Whether a file is an image by its name."""
    return name.lower().endswith(SUFFIXES)


def files_below(root: Path, folder: str = "") -> Iterator[str]:
    """Yield the names, relative to `root`, of all files in a folder of it and below.

    Entries are told apart by what the folder says of them: with a million files, asking each one
    takes minutes on a network disk.

    Raises:
        DataError: it is no folder or may not be listed, a link leads out of `root`, or a name is
            no UTF-8.
    """
    place = root / folder
    try:
        with os.scandir(place) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(
            f"{place} cannot be listed ({error.strerror}); put a folder of images there or correct "
            "the path"
        ) from error
    if any(entry.is_symlink() for entry in entries):
        visible(root, place)  # refuses those that lead out
    for entry in entries:
        name = f"{folder}{entry.name}"
        if NOT_UTF8.search(name):
            raise DataError(
                f"{root} holds {os.fsencode(name)!r}, a name that is no UTF-8; change it"
            )
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(root, f"{name}/")
        elif not entry.is_dir():
            yield name


READER = Reader(
    "images",
    card_of,
    read,
    source_digest=source_digest,
    left_out=left_out,
    training_files=training_files,
)
