"""Image folders: `train/`, `val/` and `test/`, in each one folder a class, in each its images.

The classes are the folders' names over all splits, sorted; names that differ in the form of their
accents alone (NFC, NFD) are one class. Hidden files are left alone; files that are no image by
their name are left out, and counted.
"""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import Dataset, Labels, Reader, Split, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.columns import table_columns
from omnibench.data.declaration import read_declaration
from omnibench.data.labels import Kind, primary_metric
from omnibench.data.listing import SUFFIXES, beside_splits, ending, instead, visible
from omnibench.errors import DataError


@dataclass(frozen=True)
class Listing:
    """What a folder holds, by names alone.

    Attributes:
        classes: sorted.
        files: split -> the images' names relative to the folder, by class and name.
        labels: split -> the class index of each.
        left_out: ending -> number of files that are no image by their name.
    """

    classes: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[int, ...]]
    left_out: dict[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the images of all splits."""
        return tuple(name for split in SPLITS for name in self.files[split])


def card_of(path: Path) -> DatasetCard:
    """Return the card of `folder:PATH`, from the names in it; no image is opened.

    So `channels` and `resolution` are left out; the card that `read` returns has them.

    Raises:
        DataError: as `listing_of` and `table_columns`.
    """
    listing = listing_of(path)
    kind = _kind(path, listing)
    table_columns(path, read_declaration(path).columns, listing.files)  # refused before a run
    return local_card(
        "folder",
        path,
        tasks=("classification",),
        labels=kind,
        classes=listing.classes,
        splits={split: len(files) for split, files in listing.files.items()},
        primary={"classification": primary_metric(kind)},
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Open every image's header and return the dataset; pixels are decoded when they are read.

    Its digest is `source_digest`: hashing every decoded image would double the work.

    Raises:
        DataError: as `card_of`, or an image is unreadable or of more than 8 bits.
    """
    import numpy as np

    from omnibench.data.image_files import FolderImages, survey

    root = Path(str(card.path))
    listing = listing_of(root)
    channels, height, width = survey(root, listing.names)
    pixel = (3,) if channels == 3 else ()
    columns = table_columns(root, read_declaration(root).columns, listing.files)
    splits = {
        split: Split(
            images=FolderImages(root, files, (len(files), height, width, *pixel)),
            targets={"labels": Labels(np.array(listing.labels[split], np.int64))},
            columns=columns.get(split, {}),
        )
        for split, files in listing.files.items()
    }
    card = card.model_copy(
        update={"channels": channels, "resolution": height if height == width else None}
    )
    return Dataset(card, splits, {"files": source_digest(root, data_dir)})


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the dataset's images and their places in the folder.

    Raises:
        DataError: as `listing_of`, or a file cannot be read.
    """
    from omnibench.data.image_files import as_read

    names = listing_of(path).names
    return as_read(f"sha256:{sha256_of_folder(path, names, data_dir)}", path, names, data_dir)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `listing_of`.
    """
    return path, listing_of(path).files["train"]


def left_out(path: Path) -> dict[str, int]:
    """Return how many files of each ending are no image by their name, and folders no split."""
    return listing_of(path).left_out


def listing_of(path: Path) -> Listing:
    """List the images of a folder.

    Raises:
        DataError: a split is absent or empty, there are fewer than two classes, a class has no
            image, images lie outside the class folders, or a link leads out of the folder.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; put train/, val/ and test/ there or correct it")
    others = beside_splits(path)  # a split that is a link out is refused before it is looked into
    folders_of: dict[str, dict[str, list[str]]] = {}
    for split in SPLITS:
        if not (path / split).is_dir():
            raise DataError(
                f"{path} has no folder {split}; it needs train/, val/ and test/, each with one "
                "folder a class"
            )
        folders_of[split] = {}
        class_folders, outside = _class_folders(path, path / split)
        others.update(map(ending, outside))
        for folder in class_folders:
            images, beside = _images_in(path, folder)
            folders_of[split][folder.name] = images
            others.update(map(ending, beside))
        if not any(folders_of[split].values()):
            raise DataError(
                f"{path / split} holds no image ({', '.join(SUFFIXES)}); every split needs some"
                f"{instead(others)}"
            )
    classes, numbers = _numbered({name for folders in folders_of.values() for name in folders})
    shown = {numbers[name] for folders in folders_of.values() for name in folders if folders[name]}
    for number, name in enumerate(classes):
        if number not in shown:
            raise DataError(
                f"{path}: the class '{name}' has no image ({', '.join(SUFFIXES)}) in any split; "
                f"convert its images or remove its folders{instead(others)}"
            )
    if len(classes) < 2:
        raise DataError(f"{path} has the one class '{classes[0]}'; put images of two or more there")
    files: dict[str, tuple[str, ...]] = {}
    labels: dict[str, tuple[int, ...]] = {}
    for split, folders in folders_of.items():
        pairs = [(file, numbers[name]) for name in sorted(folders) for file in folders[name]]
        files[split] = tuple(file for file, _ in pairs)
        labels[split] = tuple(label for _, label in pairs)
    return Listing(classes, files, labels, dict(others))


def _numbered(folders: set[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the classes, sorted as their folders are spelt, and the number of each folder's."""
    spelt: dict[str, str] = {}
    for name in sorted(folders):
        spelt.setdefault(unicodedata.normalize("NFC", name), name)
    classes = tuple(sorted(spelt, key=spelt.__getitem__))
    return classes, {name: classes.index(unicodedata.normalize("NFC", name)) for name in folders}


def _kind(path: Path, listing: Listing) -> Kind:
    """Return the kind of labels: what is declared, or told by the number of classes."""
    declared, count = read_declaration(path).labels, len(listing.classes)
    if declared == "multi-label" or (declared == "binary" and count > 2):
        raise DataError(
            f"{path} has {count} class folders, and an image lies in one of them, but "
            f"omnibench.yaml declares `labels: {declared}`; correct it"
        )
    return declared or ("binary" if count == 2 else "multi-class")


def _class_folders(root: Path, split: Path) -> tuple[list[Path], list[str]]:
    """Return a split's folders, and the names of what else lies in it."""
    folders, others = [], []
    for entry in visible(root, split):
        if entry.is_dir():
            folders.append(entry)
        elif entry.suffix.lower() in SUFFIXES:
            raise DataError(f"{entry} lies in no class folder; move it into one or remove it")
        else:
            others.append(entry.name)
    return folders, others


def _images_in(root: Path, folder: Path) -> tuple[list[str], list[str]]:
    """Return the names of a class's images from the root on, and those of its other files."""
    images: list[str] = []
    others: list[str] = []
    for entry in visible(root, folder):
        if entry.is_dir():
            raise DataError(
                f"{entry} is a folder inside a class; move its images up into {folder.name}/"
            )
        (images if entry.suffix.lower() in SUFFIXES else others).append(
            entry.relative_to(root).as_posix()
        )
    return images, others


READER = Reader(
    "folder",
    card_of,
    read,
    source_digest=source_digest,
    left_out=left_out,
    training_files=training_files,
    declares=("labels", "columns"),
)
