"""DICOM files as studies: which files a study has, and which of its series is which view.

A study is a folder, or what has one StudyInstanceUID; a file whose header cannot be read is of the
studies whose files lie beside it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

from omnibench.data.dicom.files import Files
from omnibench.data.dicom.headers import Header, Refusal
from omnibench.data.dicom.series import plane_of, series_of
from omnibench.data.study_dataset import PlacedSeries
from omnibench.data.study_table import TABLE, pseudonym
from omnibench.errors import DataError

Entry = TypeVar("Entry", Header, Refusal)


class Study(NamedTuple):
    """A study's views, and the salted hash of its patient, "" where unknown."""

    views: Mapping[str, PlacedSeries]
    patient: str


class Studies(NamedTuple):
    """The studies that are named, of those that have files.

    Attributes:
        usable: by name.
        reasons: name of each of the others -> why it is left out, with a file.
        remarks: a sentence for whatever else is left out.
    """

    usable: Mapping[str, Study]
    reasons: Mapping[str, str]
    remarks: tuple[str, ...]


def studies_of(root: Path, names: Iterable[str], files: Files, is_declared: bool) -> Studies:
    """Return the studies of these names.

    Args:
        names: folders below the root, or StudyInstanceUIDs.
        is_declared: whether views are declared by the descriptions of their series; else a series
            is the view of its plane.
    """
    usable: dict[str, Study] = {}
    reasons: dict[str, str] = {}
    of_study, damaged_of = _by_study(files.headers), _by_study(_damaged(files))
    owners: dict[str, str] = {}  # file -> the study that it is of
    for name in names:
        key = unicodedata.normalize("NFC", name)
        if key not in of_study and key not in damaged_of:
            key = pseudonym(name, files.salt)
        headers, damaged = of_study.get(key, []), damaged_of.get(key, [])
        try:
            for file in [entry.file for entry in headers] + [entry.file for entry in damaged]:
                if owners.setdefault(file, name) != name:
                    raise DataError(f"two rows of {TABLE} name the study of {file}; leave one")
            if damaged:
                raise DataError(f"{damaged[0].file} {damaged[0].reason}")
            if headers:
                usable[name] = _study(root, headers, is_declared)
        except DataError as error:
            reasons[name] = str(error)
    return Studies(usable, reasons, tuple(_remarks(files, owners)))


def _remarks(files: Files, named: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each study that is not named, and for files that are of no study.

    Args:
        named: the files of the studies that are named.
    """
    unnamed = {header.study: header.file for header in files.headers if header.file not in named}
    for file in unnamed.values():
        yield f"{TABLE} has no row for the study of {file}"
    groups: dict[tuple[PurePosixPath, str], list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for refusal in files.refusals:
        if refusal.kind == "no slice":
            counts[refusal.reason] += 1
        elif refusal.file not in named:
            groups[PurePosixPath(refusal.file).parent, refusal.reason].append(refusal.file)
    for (_, reason), same in groups.items():
        more = f" (and {len(same) - 1} more beside it)" if len(same) > 1 else ""
        yield f"{same[0]}{more} {reason}: left out"
    if counts:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield f"left out, being no slices of volumes: {listed}"


def _by_study(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return entries by the hash of their study, and by each folder that they lie below."""
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for place in PurePosixPath(entry.file).parents[:-1]:
            grouped[unicodedata.normalize("NFC", str(place))].append(entry)
        if entry.study:
            grouped[entry.study].append(entry)
    return grouped


def _damaged(files: Files) -> Iterator[Refusal]:
    """Yield the damaged files, one of an unknown study with each study that lies beside it."""
    beside: dict[PurePosixPath, set[str]] = defaultdict(set)
    for header in files.headers:
        beside[PurePosixPath(header.file).parent].add(header.study)
    for refusal in files.refusals:
        if refusal.kind == "damaged":
            yield refusal
            if not refusal.study:
                for study in beside[PurePosixPath(refusal.file).parent]:
                    yield refusal._replace(study=study)


def _study(root: Path, headers: Sequence[Header], is_declared: bool) -> Study:
    """Return a study of whole files.

    Raises:
        DataError: they are of two studies or patients, nothing tells which series is which view, or
            as `series_of`.
    """
    first = headers[0]
    for header in headers:
        for what in ("study", "patient"):
            if getattr(header, what) != getattr(first, what):
                raise DataError(
                    f"{first.file} and {header.file} are not of the same {what}; separate them"
                )
    series: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        if header.view or not is_declared:
            series[header.series].append(header)
    if not series:
        raise DataError(f"no series of {first.file}'s study is one that `series:` declares")
    views: dict[str, PlacedSeries] = {}
    files: dict[str, str] = {}
    for own in series.values():
        view = own[0].view or plane_of(own[0].frames[0])
        if view in views:
            raise DataError(
                f"{files[view]} and {own[0].file} are of two series, and nothing tells which is "
                f"the view '{view}': choose by `series:` in omnibench.yaml, or name the folder of "
                f"one in {TABLE}"
            )
        views[view], files[view] = series_of(root, own), own[0].file
    return Study(dict(sorted(views.items())), first.patient)
