"""Names of files in a folder of images, told without opening any.

Hidden files and folders are left alone, as are links to folders, whose images are listed where they
lie.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from omnibench.cards import SPLITS
from omnibench.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
NOT_UTF8 = re.compile("[\udc80-\udcff]")  # how Python shows bytes of a file name that are none


def beside_splits(root: Path) -> Counter[str]:
    """Return what lies beside train/, val/ and test/ as folders, each once."""
    entries = (entry for entry in visible(root, root) if entry.is_dir())
    return Counter(f"folder {entry.name}/" for entry in entries if entry.name not in SPLITS)


def ending(name: str) -> str:
    """Return a file name's ending, by which files that are left out are counted."""
    return Path(name).suffix.lower() or "without an ending"


def instead(others: Counter[str]) -> str:
    """Return what a folder holds where it holds no image, with the way out."""
    if not others:
        return ""
    counts = ", ".join(f"{count} {end}" for end, count in sorted(others.items()))
    return f" (there are {counts}: convert them to PNG, windowed to 8 bits)"


def visible(root: Path, folder: Path) -> list[Path]:
    """Return the entries of a folder but the hidden ones, sorted.

    Raises:
        DataError: one is a link that leads out of the dataset.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
            raise DataError(f"{entry} is a link that leads out of {root}; copy what it names there")
    return entries


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
    """Return whether a file is an image by its name."""
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
        with os.scandir(place) as scanned:
            entries = [entry for entry in scanned if not entry.name.startswith(".")]
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
