"""DICOM files as studies: which files a study has, and which of its series is which view.

A study is a folder, or what has one StudyInstanceUID; a file whose header cannot be read is of the
studies whose files lie beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

from omnibench.data.dicom.files import Files
from omnibench.data.dicom.headers import Header, Refusal, pseudonym
from omnibench.data.dicom.series import DicomSeries, plane_of, series_of
from omnibench.errors import DataError

Entry = TypeVar("Entry", Header, Refusal)


class Study(NamedTuple):
    """A study's series by view, and the salted hash of its patient, "" where unknown."""

    series: Mapping[str, DicomSeries]
    patient: str


def studies_of(
    root: Path, names: Iterable[str], files: Files, is_declared: bool
) -> tuple[dict[str, Study], dict[str, str]]:
    """Return the studies of these names, and why others of them are left out.

    Args:
        names: folders below the root, or StudyInstanceUIDs.
        is_declared: whether views are declared by the descriptions of their series; else a series
            is the view of its plane.
    """
    studies: dict[str, Study] = {}
    reasons: dict[str, str] = {}
    headers, damaged = _by_study(files.headers), _by_study(_damaged(files))
    for name in names:
        key = name if name in headers or name in damaged else pseudonym(name, files.salt)
        try:
            studies[name] = _study(root, headers.get(key, []), damaged.get(key, []), is_declared)
        except DataError as error:
            reasons[name] = str(error)
    return studies, reasons


def remarks(refusals: Iterable[Refusal]) -> Iterator[str]:
    """Yield a sentence for each folder's files that are no view of a study, and one for others."""
    named: dict[tuple[PurePosixPath, str], list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for refusal in refusals:
        if refusal.kind == "no slice":
            counts[refusal.reason] += 1
        elif refusal.kind == "no view":
            named[PurePosixPath(refusal.file).parent, refusal.reason].append(refusal.file)
    for (_, reason), same in named.items():
        more = f" (and {len(same) - 1} more beside it)" if len(same) > 1 else ""
        yield f"{same[0]}{more} {reason}, and is left out"
    if counts:
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        yield f"left out, being no slices of volumes: {listed}"


def _by_study(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return entries by the hash of their study, and by each folder that they lie below."""
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for place in PurePosixPath(entry.file).parents[:-1]:
            grouped[str(place)].append(entry)
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


def _study(
    root: Path, headers: Sequence[Header], damaged: Sequence[Refusal], is_declared: bool
) -> Study:
    if damaged:
        raise DataError(f"{damaged[0].file} {damaged[0].reason}")
    if not headers:
        raise DataError("it has no slice; put its files there")
    first = headers[0]
    for header in headers:
        if header.study != first.study:
            raise DataError(f"{first.file} and {header.file} are of two studies; separate them")
        if header.patient != first.patient:
            raise DataError(f"{first.file} and {header.file} are of two patients; separate them")
    series: dict[str, list[Header]] = defaultdict(list)
    for header in headers:
        if header.view or not is_declared:
            series[header.series].append(header)
    views: dict[str, DicomSeries] = {}
    files: dict[str, str] = {}
    for own in series.values():
        view = own[0].view or plane_of(own[0].frames[0])
        if view in views:
            raise DataError(
                f"{files[view]} and {own[0].file} are of two series, and nothing tells which is "
                f"the view '{view}': choose by `series:` in omnibench.yaml, or name the folder of "
                "one in labels.csv"
            )
        views[view], files[view] = series_of(root, own), own[0].file
    if not views:
        raise DataError(f"{first.file} and its study have no series that `series:` declares")
    return Study(dict(sorted(views.items())), first.patient)
