"""Image folders: `train/`, `val/` and `test/`, in each one folder a class, in each its images.

The classes are the folders' names over all splits, sorted. Hidden files are left alone, as are
files that are no image by their name.
"""

from dataclasses import dataclass
from pathlib import Path

from omnibench.cards import SPLITS, DatasetCard
from omnibench.data import Dataset, Split
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.labels import primary_metric
from omnibench.data.local import local_card
from omnibench.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class Listing:
    """What a folder holds, by names alone.

    Attributes:
        classes: sorted.
        files: split -> the images' names relative to the folder, by class and name.
        labels: split -> the class index of each.
    """

    classes: tuple[str, ...]
    files: dict[str, tuple[str, ...]]
    labels: dict[str, tuple[int, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The images of all splits."""
        return tuple(name for split in SPLITS for name in self.files[split])


def card_of(path: Path) -> DatasetCard:
    """Return the card of `folder:PATH`, from the names in it; no image is opened.

    So `channels` and `resolution` are left out; the card that `read` returns has them.

    Raises:
        DataError: as `listing_of`.
    """
    listing = listing_of(path)
    kind = "binary" if len(listing.classes) == 2 else "multi-class"
    return local_card(
        "folder",
        path,
        tasks=("classification",),
        labels=kind,
        classes=listing.classes,
        splits={split: len(files) for split, files in listing.files.items()},
        primary=primary_metric(kind),
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Open every image's header and return the dataset; pixels are decoded when they are read.

    Its digest is `source_digest`: hashing every decoded image would double the work.

    Raises:
        DataError: as `listing_of`, or an image is unreadable or of more than 8 bits.
    """
    import numpy as np

    from omnibench.data.folder_images import FolderImages, survey

    root = Path(str(card.path))
    listing = listing_of(root)
    channels, height, width = survey(root, listing.names)
    pixel = (3,) if channels == 3 else ()
    splits = {
        split: Split(
            images=FolderImages(root, files, (len(files), height, width, *pixel)),
            labels=np.array(listing.labels[split], np.int64),
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
    return f"sha256:{sha256_of_folder(path, listing_of(path).names, data_dir)}"


def listing_of(path: Path) -> Listing:
    """List the images of a folder.

    Raises:
        DataError: a split is absent or empty, there are fewer than two classes, a class has no
            image, images lie outside the class folders, or a link leads out of the folder.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; put train/, val/ and test/ there or correct it")
    visible(path, path)  # a split that is a link out is refused before it is looked into
    found: dict[str, dict[str, list[str]]] = {}
    for split in SPLITS:
        if not (path / split).is_dir():
            raise DataError(
                f"{path} has no folder {split}; it needs train/, val/ and test/, each with one "
                "folder a class"
            )
        found[split] = {
            folder.name: _images_in(path, folder) for folder in _class_folders(path, path / split)
        }
        if not any(found[split].values()):
            raise DataError(f"{path / split} holds no image; every split needs some")
    classes = tuple(sorted({name for folders in found.values() for name in folders}))
    for name in classes:
        if not any(folders.get(name) for folders in found.values()):
            raise DataError(
                f"{path}: the class '{name}' has no image ({', '.join(SUFFIXES)}) in any split; "
                "convert its images or remove its folders"
            )
    if len(classes) < 2:
        raise DataError(f"{path} has the one class '{classes[0]}'; classification needs two")
    files: dict[str, tuple[str, ...]] = {}
    labels: dict[str, tuple[int, ...]] = {}
    for split, folders in found.items():
        pairs = [(file, classes.index(name)) for name in sorted(folders) for file in folders[name]]
        files[split] = tuple(file for file, _ in pairs)
        labels[split] = tuple(label for _, label in pairs)
    return Listing(classes, files, labels)


def _class_folders(root: Path, split: Path) -> list[Path]:
    folders = []
    for entry in visible(root, split):
        if entry.is_dir():
            folders.append(entry)
        elif entry.suffix.lower() in SUFFIXES:
            raise DataError(f"{entry} lies in no class folder; move it into one or remove it")
    return folders


def _images_in(root: Path, folder: Path) -> list[str]:
    names = []
    for entry in visible(root, folder):
        if entry.is_dir():
            raise DataError(
                f"{entry} is a folder inside a class; move its images up into {folder.name}/"
            )
        if entry.suffix.lower() in SUFFIXES:
            names.append(entry.relative_to(root).as_posix())
    return names


def visible(root: Path, folder: Path) -> list[Path]:
    """The entries of a folder but the hidden ones, sorted; links out of the dataset are refused."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
            raise DataError(f"{entry} is a link that leads out of {root}; copy what it names there")
    return entries
