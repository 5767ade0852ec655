"""Take in records from elsewhere: each is checked before it is written, no done one replaced."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from omnibench.bundles.archive import CHUNK_BYTES, Archive, is_safe
from omnibench.bundles.pack import SUITES
from omnibench.bundles.portable import portable
from omnibench.errors import DamageError, LinkError, NewerRecordError, RequestError, StoreError
from omnibench.files import being_written, inside, open_regular, read_regular, write_atomically
from omnibench.leases import Leases
from omnibench.monitoring import monitoring_in
from omnibench.record import SCHEMA, load_record, parse_record
from omnibench.record_files import PREDICTIONS, complaint_about
from omnibench.session import MONITORED

Opened = Callable[[str], AbstractContextManager[IO[bytes]]]
RECORDS = "records"
DEPTH = 6  # records/task/dataset/backbone/adaptation/file


@dataclass
class Merged:
    """What became of one archive or folder.

    Attributes:
        counts: "taken in", "there already", "refused" -> number of records.
        refusals: a sentence for each record, or other file, that was not taken in.
        suites: files of suites that are there now.
        records: those taken in.
    """

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)
    suites: list[Path] = field(default_factory=list)
    records: list[Mapping[str, Any]] = field(default_factory=list)

    def refuse(self, sentence: str) -> None:
        """Count a record that is not taken in, and keep why."""
        self.counts["refused"] += 1
        self.refusals.append(sentence)


def merge_archive(archive: Archive, results: Path, force: bool) -> Merged:
    """Take in a bundle.

    Raises:
        RequestError: a member is damaged; nothing is taken in.
        StoreError: a file cannot be written.
    """
    archive.verify()
    merged = Merged()
    for name in sorted(archive.manifest.files):
        room = PurePosixPath(name).parts[0]
        if room == RECORDS and name.endswith(".json"):
            _merge_record(name, archive.read(name), archive.opened, results, force, merged)
        elif room in (SUITES, MONITORED):
            _merge_file(name, archive.read(name), results, force, merged)
    return merged


def merge_folder(folder: Path, results: Path, force: bool) -> Merged:
    """Take in the records of another folder of results, or of a bundle that was unpacked.

    Raises:
        RequestError: it holds no records.
        StoreError: a file cannot be written.
    """
    if not (folder / RECORDS).is_dir():
        raise RequestError(f"{folder} holds no {RECORDS}/; give a folder of results or a bundle")
    if folder.resolve() == results.resolve():
        raise RequestError(f"{folder} is the folder of results that records are taken into")
    merged = Merged()

    def opened(name: str) -> IO[bytes]:
        return open_regular(inside(folder / name, folder))

    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            content = read_regular(inside(path, folder))
        except (OSError, LinkError) as error:
            merged.refuse(f"{name} cannot be read ({error})")
            continue
        if name.startswith(RECORDS):
            _merge_record(name, content, opened, results, force, merged)
        else:
            _merge_file(name, content, results, force, merged)
    return merged


def _files(folder: Path) -> Iterator[Path]:
    """Yield the records, suites and files of monitoring of a folder."""
    yield from sorted((folder / RECORDS).rglob("rep-*.json"))
    yield from sorted((folder / SUITES).glob("[!.]*.yaml"))
    yield from sorted((folder / MONITORED).glob("[!.]*.json"))


def _merge_record(
    name: str, content: bytes, opened: Opened, results: Path, force: bool, merged: Merged
) -> None:
    """Take in one record with what lies beside it, or say why not."""
    path = results / name
    try:
        record = parse_record(content, Path(name))
    except (DamageError, NewerRecordError) as error:
        merged.refuse(str(error))
        return
    if record["schema"] < SCHEMA:
        merged.refuse(
            f"the record {name} is of an earlier version (schema {record['schema']}); `bench.py "
            "bundle` of its suite brings it to today's"
        )
        return
    parts = PurePosixPath(name).parts
    if not is_safe(name) or name != _name_of(record) or len(parts) != DEPTH:
        merged.refuse(f"the record {name} is not where a record of its cell belongs")
        return
    inside(path, results)
    if complaint := _complaint(name, record, opened):
        merged.refuse(f"the record {name} is not whole: {complaint}")
        return
    stays = _why_it_stays(path, record, content)
    if stays == "":
        merged.counts["there already"] += 1
        return
    if stays is not None and not force:
        merged.refuse(f"the record {name} {stays}")
        return
    unit = "/".join(parts[1:-1])
    leases = Leases(results)
    with leases.held(unit) as lease:
        if lease is None:
            merged.refuse(f"the record {name} waits: {leases.holder(unit)}; merge again then")
            return
        for ending, expected in record["files"].items():
            _copy(_beside(name, ending), opened, path.with_suffix(f".{ending}"), expected)
        write_atomically(path, content, lease.require)
    merged.counts["taken in"] += 1
    merged.records.append(record)


def _name_of(record: Mapping[str, Any]) -> str:
    spec = record["spec"]
    unit = "/".join(spec[part] for part in ("task", "dataset", "backbone", "short"))
    return f"{RECORDS}/{unit}/rep-{spec['repetition']}-{record['digest'][:8]}.json"


def _beside(name: str, ending: str) -> str:
    return f"{name.removesuffix('.json')}.{ending}"


def _complaint(name: str, record: Mapping[str, Any], opened: Opened) -> str:
    """Return what is wrong with the files that a record names; "" where all are as it says."""
    if record["status"] == "done" and record["files"].keys().isdisjoint(PREDICTIONS):
        return "its predictions are absent"
    for ending, expected in record["files"].items():
        file = _beside(name, ending)
        try:
            with opened(file) as member:
                digest = hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
        except (OSError, RequestError, LinkError):
            return f"{file} is absent or cannot be read"
        if expected != f"sha256:{digest}":
            return f"{file} has another checksum"
    return ""


def _why_it_stays(path: Path, record: Mapping[str, Any], content: bytes) -> str | None:
    """Return why what is there is not replaced; "" if it is the same, None if it gives way."""
    try:
        there = load_record(path)
        if complaint_about(path, there):
            return None
    except (FileNotFoundError, DamageError):
        return None
    except NewerRecordError as error:
        return f"is not taken in, as {error}"
    if there["digest"] != record["digest"]:
        return "would replace another cell's"
    if path.read_bytes() == content or portable(path, there).content == content:
        return ""
    if there["status"] != "done":
        return None if record["status"] == "done" else ""
    return (
        "differs from the one of the same cell that is here; see which of them is right: --force "
        "takes this one"
    )


def _copy(name: str, opened: Opened, path: Path, expected: str) -> None:
    """Copy a file whose content has been looked at, and hold it to that.

    Raises:
        StoreError: it cannot be written, or is another now.
    """
    digest = hashlib.sha256()

    def check() -> None:
        if expected != f"sha256:{digest.hexdigest()}":
            raise StoreError(f"{name} was changed while it was taken in; merge again")

    with opened(name) as member, being_written(path, check) as file:
        while chunk := member.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)


def _merge_file(name: str, content: bytes, results: Path, force: bool, merged: Merged) -> None:
    """Take in the file of a suite, or what is known of its rounds."""
    room, _, stem = name.partition("/")
    path = inside(results / name, results)
    if "/" in stem or not is_safe(name) or path.suffix not in (".yaml", ".json"):
        merged.refuse(f"{name} is no file that a bundle brings along")
        return
    if room == MONITORED:
        try:
            monitoring_in(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            merged.refuse(f"{name} is damaged")
            return
    if path.exists() and path.read_bytes() != content and not force:
        merged.refuse(
            f"{name} differs from the one that is here; take it with --force if it is right"
        )
        return
    write_atomically(path, content)
    if room == SUITES:
        merged.suites.append(path)
