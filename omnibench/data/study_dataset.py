"""The card and the dataset of a folder of studies, from its table and the series of their views."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import IDENTIFIER, SPLITS, DatasetCard
from omnibench.data.columns import as_columns
from omnibench.data.declaration import read_declaration
from omnibench.data.labels import primary_metric
from omnibench.data.reader import local_card
from omnibench.data.split import Dataset, Split, left_out_note
from omnibench.data.study_table import StudyTable, pseudonym
from omnibench.data.targets import Labels
from omnibench.data.volume_images import Series, VolumeImages, sides_of
from omnibench.errors import DataError
from omnibench.window import channels_of

MOST_VIEWS = 20


@dataclass(frozen=True)
class PlacedSeries:
    """A view of a study.

    Attributes:
        places: of its slices, in mm along the axis on which they follow each other.
    """

    series: Series
    places: tuple[float, ...]


Views = Mapping[str, PlacedSeries]  # by their names


def study_card(
    reader: str, path: Path, table: StudyTable, views: Mapping[str, Iterable[str]], slices: int
) -> DatasetCard:
    """Return the card of a folder of studies.

    Args:
        views: study -> the names of its views.
        slices: of all views of all of the table's studies.

    Raises:
        DataError: there are so many names of views that they may be those of patients, two differ
            in capitals alone, or a declared column may not be used.
    """
    names = sorted({name for row in table.rows for name in views[row.study]})
    if len(names) > MOST_VIEWS:
        raise DataError(
            f"{path} has {len(names)} different names of views, where one dataset has at most "
            f"{MOST_VIEWS}; give what shows the same the same name in each study"
        )
    spellings: dict[str, str] = {}
    for name in names:
        if (other := spellings.setdefault(name.casefold(), name)) != name:
            raise DataError(
                f"{path} has views called '{other}' and '{name}'; give them one name, or names "
                "that differ in more than capitals"
            )
        if not re.search(IDENTIFIER, name):
            raise DataError(
                f"{path} has a view called '{name}'; use letters, digits and . _ - in its name"
            )
    _columns(table)
    return local_card(
        reader,
        path,
        tasks=("volumes",),
        labels=table.kind,
        classes=table.classes,
        channels=3 if channels_of(read_declaration(path).window) else 1,
        splits=table.counts,
        images_per_study=slices / len(table.rows),
        views=tuple(names) if len(names) > 1 else (),
        note=left_out_note(len(table.left_out)),
        primary={"volumes": primary_metric(table.kind)},
    )


def study_dataset(
    card: DatasetCard, table: StudyTable, studies: Mapping[str, Views], digest: str
) -> Dataset:
    """Return the dataset of a folder of studies, its images the slices of their views.

    Args:
        studies: the views of each study of the table.
        digest: of the source, by which names become pseudonyms.

    Raises:
        DataError: a declared column may not be used.
    """
    window = read_declaration(table.path.parent).window
    used = [studies[row.study] for row in table.rows]
    sides = sides_of(view.series for views in used for view in views.values())
    columns = _columns(table)
    has_patients = any(row.patient for row in table.rows)
    splits = {}
    for split in SPLITS:
        rows = table.of(split)
        views = [(name, view) for row in rows for name, view in studies[row.study].items()]
        series = tuple(view.series for _, view in views)
        slices = [each.shape[0] for each in series]
        of_study = [sum(v.series.shape[0] for v in studies[row.study].values()) for row in rows]

        def each(values: Any, counts: list[int] = of_study) -> NDArray[Any]:
            return np.repeat(np.asarray(values), counts)

        groups = each([pseudonym(row.group, digest) for row in rows])
        splits[split] = Split(
            VolumeImages(series, sides, window),
            groups=groups if has_patients else None,
            study=each([pseudonym(row.study, digest) for row in rows]),
            view=each([name for name, _ in views], slices),
            place=np.concatenate([view.places for _, view in views]),
            columns={name: each(values) for name, values in columns[split].items()},
            by_study={"labels": Labels(np.array(table.labels(split), np.int64))},
        )
    square = sides[0] if sides[0] == sides[1] else None
    note = left_out_note(len(table.left_out))
    update = {"resolution": square, "splits": table.counts, "note": note}
    card = card.model_copy(update=update)
    return Dataset(card, splits, {"files": digest}, table.left_out)


def _columns(table: StudyTable) -> dict[str, dict[str, NDArray[Any]]]:
    patients = {split: [row.patient for row in table.of(split) if row.patient] for split in SPLITS}
    written = {split: table.columns(split) for split in SPLITS}
    return as_columns(written, patients, str(table.path))
