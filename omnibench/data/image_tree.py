"""Image folders without labels: every image at any depth, for pretraining; no layout is asked.

Hidden files and folders are left alone, as are files that are no image by their name, and links to
folders, whose images are listed where they lie.
"""

from collections import Counter
from pathlib import Path

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Reader, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.listing import ending, files_below, image_names, is_image


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
    from omnibench.data.image_files import as_read

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


READER = Reader(
    "images",
    card_of,
    read,
    source_digest=source_digest,
    left_out=left_out,
    training_files=training_files,
)
