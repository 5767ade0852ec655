"""`labels.csv` in a folder of studies: a row a study, with its labels, its split and its patient.

    study,split,patient,label        or, of several findings,        study,effusion,nodule,sex
    s01,train,p1,benign                                              s01,1,0,F

`split` (train, val, test) and `patient` may be left out. Without `split`, patients are drawn (see
`_drawn`). Where there is no `label`, every column that is neither one of these nor declared under
`columns` is a finding, 0 or 1.

Names of studies and patients stay here: arrays hold what `pseudonym` makes of them.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omnibench.cards import SPLITS
from omnibench.data.columns import Written, known, table_rows
from omnibench.data.declaration import declaration_path, read_declaration
from omnibench.data.jsonl import SPLIT_NAMES
from omnibench.data.labels import Kind
from omnibench.errors import DataError

TABLE = "labels.csv"
STUDY, SPLIT, PATIENT, LABEL = RESERVED = ("study", "split", "patient", "label")
WAY_OUT = f"write a row a study, with '{STUDY}' and '{LABEL}' or findings of 0 and 1"
NONE = ("",)
TRUTH = {"0": False, "0.0": False, "1": True, "1.0": True}
# Of ten patients of a label, in a random order: 7 train, 1 validates, 2 test. The first three go to
# three splits, so that a label of few patients is in each of them where it can be.
DRAWN = ("train", "test", "val", "train", "train", "train", "train", "test", "train", "train")


@dataclass(frozen=True)
class Row:
    """One study.

    Attributes:
        number: of its row in the table, whose first is the header.
        labels: its class, or the findings that it shows, NONE where it shows none; () where one is
            not known.
        patient: "" where none is known.
        columns: declared column -> its text.
    """

    number: int
    study: str
    split: str
    patient: str
    labels: tuple[str, ...]
    columns: Mapping[str, str]

    @property
    def group(self) -> str:
        """Return its patient, else itself."""
        return self.patient or self.study


@dataclass(frozen=True)
class StudyTable:
    """The studies that have files and labels.

    Attributes:
        path: of the table.
        rows: in their order.
        kind, classes: of the labels, as a card has them.
        left_out: a sentence for each study that is left out, with the reason.
    """

    path: Path
    rows: tuple[Row, ...]
    kind: Kind
    classes: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Return split -> its number of studies."""
        return {split: len(self.of(split)) for split in SPLITS}

    def of(self, split: str) -> tuple[Row, ...]:
        """Return the rows of a split."""
        return tuple(row for row in self.rows if row.split == split)

    def labels(self, split: str) -> list[int] | list[list[int]]:
        """Return [S] class indices, or [S, L] zeros and ones of several findings."""
        if self.kind == "multi-label":
            return [[int(name in row.labels) for name in self.classes] for row in self.of(split)]
        return [self.classes.index(row.labels[0]) for row in self.of(split)]

    def columns(self, split: str) -> Written:
        """Return the declared columns, as `columns.as_columns` takes them."""
        rows = self.of(split)
        return {name: [row.columns[name] for row in rows] for name in rows[0].columns}

    def without(self, damaged: Mapping[str, str]) -> StudyTable:
        """Return the table without studies that cannot be read.

        Args:
            damaged: study -> a sentence that names its file.

        Raises:
            DataError: a split has no study left.
        """
        rows = tuple(row for row in self.rows if row.study not in damaged)
        reasons = [damaged[row.study] for row in self.rows if row.study in damaged]
        table = replace(self, rows=rows, left_out=(*self.left_out, *reasons))
        for split, count in table.counts.items():
            if not count:
                first = f" (left out: {table.left_out[0]})" if table.left_out else ""
                raise DataError(
                    f"{self.path.parent} has no study of the split {split} that can be used"
                    f"{first}; every split needs some"
                )
        return table


def pseudonym(name: str, digest: str) -> str:
    """Return what stands for a study or a patient in arrays: 16 hex digits.

    Args:
        digest: the dataset's source digest, so that a name has another in another dataset.
    """
    return hashlib.sha256(f"{digest}\n{name}".encode()).hexdigest()[:16]


def study_table(folder: Path, studies: Mapping[str, str | None]) -> StudyTable:
    """Read the table of a folder, and draw splits where it has none.

    Args:
        studies: name of each study that has files -> its patient, where the files tell.

    Raises:
        DataError: the table is absent, broken or empty; a value is no split or no finding; labels
            are not of the declared kind, or of one class; a patient is in two splits; or a split
            has no study.
    """
    path, declaration = folder / TABLE, read_declaration(folder)
    for name in RESERVED:
        if name in declaration.columns:
            raise DataError(
                f"{declaration_path(folder)} declares the column '{name}', which makes no "
                "subgroups; name what studies have in common"
            )
    entries = table_rows(path, (STUDY, *declaration.columns), WAY_OUT)
    names = tuple(filter(None, entries[0])) if entries else ()
    others = tuple(name for name in names if name not in (*RESERVED, *declaration.columns))
    findings = () if LABEL in names else others
    if LABEL not in names and not findings:
        raise DataError(f"{path} holds no label; {WAY_OUT}")
    places = {unicodedata.normalize("NFC", name): name for name in studies}
    rows: dict[str, list[Row]] = {}
    left_out = []
    for number, entry in enumerate(entries, start=2):
        study = places.get(unicodedata.normalize("NFC", entry[STUDY].strip()))
        where = f"{path}, row {number}"
        if study is None:
            left_out.append(f"{where}: there are no files of its study")
            continue
        labels = _labels(entry, findings, where)
        split = _split(entry[SPLIT], where) if SPLIT in names else ""
        patient = known(entry.get(PATIENT, "")) or studies[study] or ""
        columns = {name: entry[name] for name in declaration.columns}
        rows.setdefault(study, []).append(Row(number, study, split, patient, labels, columns))
    unnamed = [study for study in studies if study not in rows]
    left_out += [f"{folder / study}: {TABLE} has no row for it" for study in unnamed]
    usable = []
    for first, *more in rows.values():
        if any(replace(row, number=first.number) != first for row in more):
            numbers = ", ".join(str(row.number) for row in (first, *more))
            left_out.append(f"{path}, rows {numbers}: one study with different entries")
        elif not first.labels:
            left_out.append(f"{path}, row {first.number}: its study has no label")
        else:
            usable.append(first)
    if not usable:
        raise DataError(f"{path} names no study that can be used: {left_out[0]}")
    if SPLIT not in names:
        usable = _drawn(usable, declaration.split_seed)
    elif declaration.shared_patients == "refused":
        _refuse_shared(usable, path)
    kind, classes = _kind(usable, findings, declaration.labels, path)
    return StudyTable(path, tuple(usable), kind, classes, tuple(left_out)).without({})


def _labels(entry: Mapping[str, str], findings: Sequence[str], where: str) -> tuple[str, ...]:
    """Return a study's labels, as of `Row`; a single finding is a class beside its absence."""
    if not findings:
        label = known(entry[LABEL])
        return (label,) if label else ()
    texts = {name: known(entry[name]) for name in findings}
    for name, text in texts.items():
        if text and text not in TRUTH:
            raise DataError(
                f"{where}: its entry under '{name}' is neither 0 nor 1; correct it, declare what "
                f"is no finding under `columns`, or write classes under '{LABEL}'"
            )
    if not all(texts.values()):
        return ()
    shown = tuple(name for name, text in texts.items() if TRUTH[text])
    return shown or (NONE if len(findings) > 1 else (f"no {findings[0]}",))


def _split(text: str, where: str) -> str:
    split = SPLIT_NAMES.get(text.strip())
    if split is None:
        raise DataError(f"{where}: its split is none; write train, val or test")
    return split


def _refuse_shared(rows: Sequence[Row], path: Path) -> None:
    first: dict[str, Row] = {}
    for row in rows:
        other = first.setdefault(row.group, row)
        if other.split != row.split:
            raise DataError(
                f"{path}, rows {other.number} and {row.number} are of one patient, but in "
                f"{other.split} and in {row.split}; move one of them, or declare "
                f"`shared_patients: allowed` in {declaration_path(path.parent).name}"
            )


def _drawn(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return the rows in splits: patients are drawn, about 70, 10 and 20 % of them.

    Stratified: a patient counts to the rarest label of its studies, and of those of each label,
    in the order of the hashes of seed and name, DRAWN says which goes where.
    """
    counts = Counter(label for row in rows for label in row.labels)
    rarest: dict[str, str] = {}
    for row in rows:
        labels = (*row.labels, *filter(None, [rarest.get(row.group)]))
        rarest[row.group] = min(labels, key=lambda label: (counts[label], label))
    places: Counter[str] = Counter()
    splits: dict[str, str] = {}
    for group in sorted(rarest, key=lambda group: pseudonym(group, str(seed))):
        splits[group] = DRAWN[places[rarest[group]] % len(DRAWN)]
        places[rarest[group]] += 1
    return [replace(row, split=splits[row.group]) for row in rows]


def _kind(
    rows: Sequence[Row], findings: Sequence[str], declared: Kind | None, path: Path
) -> tuple[Kind, tuple[str, ...]]:
    """Return the kind of labels and the classes, numbers in their order."""
    shown = {label for row in rows for label in row.labels}
    if len(findings) > 1:
        excluding = all(len(row.labels) == 1 and row.labels != NONE for row in rows)
        if excluding and declared is None:
            raise DataError(
                f"{path}: every study has exactly one of the {len(findings)} findings, and nothing "
                "tells whether they exclude each other; declare `labels: multi-class` or "
                f"`labels: multi-label` in {declaration_path(path.parent).name}"
            )
        if not excluding and declared not in (None, "multi-label"):
            raise DataError(
                f"{path} is declared {declared}, but has studies of no finding or of several; "
                "declare multi-label"
            )
        return declared or "multi-label", tuple(findings)
    if declared == "multi-label":
        raise DataError(f"{path} is declared multi-label; write a column for each finding")
    spellings: dict[str | float, str] = {}
    for label in sorted(shown):
        other = spellings.setdefault(_spelt(label), label)
        if other != label:
            raise DataError(
                f"{path} has the classes '{other[:40]}' and '{label[:40]}', which read the same; "
                "write one of them"
            )
    classes = sorted(shown, key=int if all(map(str.isdecimal, shown)) else str)
    if findings:
        classes = [f"no {findings[0]}", findings[0]]
    if len(shown) < 2:
        raise DataError(f"{path} holds labels of {len(shown)} class; it needs two or more")
    if declared == "binary" and len(classes) > 2:
        raise DataError(f"{path} is declared binary, but has {len(classes)} classes; correct it")
    return declared or ("binary" if len(classes) == 2 else "multi-class"), tuple(classes)


def _spelt(label: str) -> str | float:
    """Return what a label reads as: the number that it is, else its letters in any case."""
    try:
        return float(label)
    except ValueError:
        return " ".join(label.casefold().split())
