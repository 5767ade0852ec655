"""`dicom:PATH`: studies of DICOM files at any depth of a folder, with `labels.csv` in it.

The table names a study by its folder, or by its StudyInstanceUID; patients, where it does not name
them, are told apart by PatientID. See `studies` for what leaves a study out.
"""

import hashlib
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Reader
from omnibench.data.checksums import sha256_of_folder
from omnibench.data.columns import table_rows
from omnibench.data.declaration import declaration_path, read_declaration
from omnibench.data.listing import files_below
from omnibench.data.study_table import STUDY, TABLE, WAY_OUT, study_table
from omnibench.errors import DataError

RULES = "dicom 1"  # in the digest: raised when values or slices of the same files are others


def card_of(path: Path) -> DatasetCard:
    """Return the card of `dicom:PATH`, from its table and the number of its files.

    So a study counts that will be left out; the card that `read` returns knows better.

    Raises:
        DataError: as `study_table`, or pydicom is absent.
    """
    from omnibench.data.study_dataset import study_card

    if importlib.util.find_spec("pydicom") is None:
        raise DataError(
            f"{path} is read by the package pydicom; run `pip install 'omnibench[volumes]'`"
        )
    names = _names(path)
    table = study_table(path, dict.fromkeys(names))
    return study_card("dicom", path, table, dict.fromkeys(names, ()), max(1, len(_files(path))))


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read every header and return the dataset; pixels are decoded when they are read.

    Raises:
        DataError: as `card_of`, or a split has no study that can be used.
    """
    from omnibench.data.dicom.files import files_of
    from omnibench.data.dicom.studies import studies_of
    from omnibench.data.study_dataset import study_card, study_dataset

    root = Path(str(card.path))
    series = read_declaration(root).series
    files = files_of(root, _files(root), series, data_dir)
    studies = studies_of(root, _names(root), files, bool(series))
    first: dict[str, str] = {}  # patients are called as their first study: draws know no salt
    patients: dict[str, str | None] = dict.fromkeys(studies.reasons)
    for name, study in studies.usable.items():
        patients[name] = first.setdefault(study.patient, name) if study.patient else None
    damaged = {name: f"a study is left out: {reason}" for name, reason in studies.reasons.items()}
    table = study_table(root, patients).without(damaged)
    views = {name: study.views for name, study in studies.usable.items()}
    slices = [len(view.places) for row in table.rows for view in views[row.study].values()]
    dataset = study_dataset(
        study_card("dicom", root, table, views, sum(slices)),
        table,
        views,
        source_digest(root, data_dir),
    )
    return replace(dataset, left_out=(*dataset.left_out, *studies.remarks))


def source_digest(path: Path, data_dir: Path) -> str:
    """Return "sha256:..." of the files, their places in the folder, the table and its findings.

    The findings, since what `columns` declares is none of them.

    Raises:
        DataError: as `study_table`, or a file cannot be read.
    """
    table = study_table(path, dict.fromkeys(_names(path)))
    content = sha256_of_folder(path, [TABLE, *_files(path)], data_dir)
    text = json.dumps([RULES, content, table.classes])
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _names(root: Path) -> list[str]:
    """Return the studies that the table names, each once."""
    rows = table_rows(root / TABLE, (STUDY,), WAY_OUT)
    return list(dict.fromkeys(row[STUDY].strip() for row in rows))


def _files(root: Path) -> list[str]:
    """Return the names of all files but the table and the declaration."""
    own = (TABLE, declaration_path(root).name)
    return sorted(name for name in files_below(root) if name not in own)


READER = Reader(
    "dicom",
    card_of,
    read,
    source_digest=source_digest,
    declares=("labels", "columns", "window", "split_seed", "shared_patients", "series"),
)
