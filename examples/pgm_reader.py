"""A reader from outside: a folder of PGM images beside a table of labels, as `pgm:PATH`.

    omnibench run SUITE --plugin pgm_reader.py   # a suite that names a dataset "pgm:my_folder"

The folder holds `labels.csv` with the columns file, split, label and patient, and the images that
it names, all of one size.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from omnibench import (
    ArrayImages,
    Dataset,
    DatasetCard,
    Labels,
    Reader,
    Split,
    errors,
    local_card,
    register_reader,
)

Row = dict[str, str]


def rows_of(folder: Path) -> list[Row]:
    """Return the rows of a folder's table.

    Raises:
        DataError: it is absent, or a column is.
    """
    table = folder / "labels.csv"
    if not table.is_file():
        raise errors.DataError(
            f"{folder} has no labels.csv; write one of file, split, label, patient"
        )
    with table.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    if absent := {"file", "split", "label", "patient"} - {*(rows[0] if rows else ())}:
        raise errors.DataError(f"{table} has no column {', '.join(sorted(absent))}; add it")
    return rows


def card_of(folder: Path) -> DatasetCard:
    """Return the card of a folder, from its table and the header of one image."""
    rows = rows_of(folder)
    classes = tuple(sorted({row["label"] for row in rows}))
    with Image.open(folder / rows[0]["file"]) as image:
        resolution = max(image.size)
    return local_card(
        "pgm",
        folder,
        tasks=("classification",),
        labels="binary" if len(classes) == 2 else "multi-class",
        classes=classes,
        channels=1,
        resolution=resolution,
        splits={s: sum(row["split"] == s for row in rows) for s in ("train", "val", "test")},
        primary={"classification": "auc"},
    )


def read(card: DatasetCard, data: Path) -> Dataset:
    """Read every image into memory: grey [N, H, W], with its label and its patient."""
    folder = Path(str(card.path))
    rows = rows_of(folder)
    splits = {}
    for name in card.splits:
        own = [row for row in rows if row["split"] == name]
        images = [np.asarray(Image.open(folder / row["file"]).convert("L")) for row in own]
        labels = np.array([card.classes.index(row["label"]) for row in own])
        groups = np.array([row["patient"] for row in own])
        splits[name] = Split(ArrayImages(np.stack(images)), {"labels": Labels(labels)}, groups)
    return Dataset(card, splits)


register_reader(Reader("pgm", card_of, read))
