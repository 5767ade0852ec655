"""Captioned images in a JSON-lines file, read as `jsonl_lines` says."""

from pathlib import Path

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Reader, Split, Texts, local_card
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.jsonl_lines import lines_of


def card_of(path: Path) -> DatasetCard:
    """Return the card of `jsonl:PATH`, from its lines; no image is opened.

    So `channels` and `resolution` are left out; the card that `read` returns has them.

    Raises:
        DataError: as `lines_of`.
    """
    lines = lines_of(path)
    return local_card(
        "jsonl",
        path,
        tasks=("captioning",),
        splits={split: len(found) for split, found in lines.items()},
        primary={"captioning": "meteor"},
    )


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Open every image's header and return the dataset; pixels are decoded when they are read.

    Images of several sizes are brought to one as `folder_images.survey` says.

    Raises:
        DataError: as `lines_of`, or an image is unreadable or of more than 8 bits.
    """
    import numpy as np

    from omnibench.data.folder_images import FolderImages, survey

    path = Path(str(card.path))
    lines = lines_of(path)
    names = dict.fromkeys(line.image for found in lines.values() for line in found)
    channels, height, width = survey(path.parent, tuple(names))
    pixel = (3,) if channels == 3 else ()
    splits = {}
    for split, found in lines.items():
        groups = [line.group for line in found if line.group is not None]
        splits[split] = Split(
            images=FolderImages(
                path.parent,
                tuple(line.image for line in found),
                (len(found), height, width, *pixel),
            ),
            targets={"captions": Texts(tuple(line.caption for line in found))},
            groups=np.array(groups, np.str_) if groups else None,
        )
    card = card.model_copy(
        update={"channels": channels, "resolution": height if height == width else None}
    )
    return Dataset(card, splits, {"files": source_digest(path, data_dir)})


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the file and of the images it names.

    Raises:
        DataError: as `lines_of`, or a file cannot be read.
    """
    from omnibench.data.reading import as_read

    names = {line.image for found in lines_of(path).values() for line in found}
    digest = f"sha256:{sha256_of_folder(path.parent, {path.name, *names}, data_dir)}"
    return as_read(digest, path.parent, sorted(names), data_dir)


def training_files(path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return the folder and the names in it of the training images.

    Raises:
        DataError: as `lines_of`.
    """
    return path.parent, tuple(dict.fromkeys(line.image for line in lines_of(path)["train"]))


READER = Reader("jsonl", card_of, read, source_digest=source_digest, training_files=training_files)
