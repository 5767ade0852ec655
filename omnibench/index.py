"""What `plan`, `status` and `run` need of each record, kept so that no record is read twice.

One file a dataset, `results/index/<task>/<dataset>.index`: a line with the rules it was made by
and the SHA-256 of the rest, then JSON {unit: {record's name: summary}}. It may be deleted at any
time; where it is absent, damaged or cannot be written, records are read.
"""

import contextlib
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from omnibench.adoption import adopt, earlier_folder
from omnibench.cell import Cell, Unit
from omnibench.errors import StoreError
from omnibench.files import (
    SETTLED_NS,
    file_system_time,
    inside,
    read_regular,
    stamp_of,
    write_atomically,
)
from omnibench.record import SCHEMA, look_at
from omnibench.record_files import complaint_about
from omnibench.store import RecordStore, record_name

# What a usable record is; an index made by other rules is not used.
RULES = f"omnibench summaries 3 of schema {SCHEMA}"

# Of a record: digest, status, finished, error {kind, message} or None; the endings of the files
# beside it, which were read whole once; and the stamp of all these files together.
Summary = dict[str, Any]
Shard = dict[str, dict[str, Summary]]


class Index:
    """The summaries of the records below one results folder, for one command.

    Every file is looked at (name, size and times) each time. What is as it was is answered from
    the index; anything else by `RecordStore.read`, which reads it whole, with its warnings.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._results = store.root.parent
        self._shards: dict[tuple[str, str], Shard] = {}  # by task and dataset
        self._changed: set[tuple[str, str]] = set()
        self._read: dict[str, dict[str, Any] | None] = {}  # of a unit, by digest

    def summaries(self, unit: Unit) -> list[Summary | None]:
        """Return for each cell of a unit what matters of its record; None as of `RecordStore.read`.

        Raises:
            LinkError: as of `RecordStore.read`.
        """
        self._read.clear()
        key, name = (unit.task, unit.dataset.id), unit.name
        if key not in self._shards:
            self._shards[key] = _read(self._path(key), self._results) or {}
        shard = self._shards[key]
        folder = self._folder(unit)
        if folder.is_there:
            self._store.folder(unit)
        known = shard.get(name, {})
        entries = {record: entry for record, entry in known.items() if not folder.lacks(record)}
        folder = self._adopt(unit, folder, entries)
        summaries = [self._summary(cell, folder, entries) for cell in unit.cells]
        if entries != known:
            shard[name] = entries
            self._changed.add(key)
        return summaries

    def records(self, unit: Unit) -> list[dict[str, Any] | None]:
        """For each cell of a unit its whole record; None as of `RecordStore.read`.

        Raises:
            LinkError: as of `RecordStore.read`.
        """
        self.summaries(unit)  # takes over what an earlier version left; reads what is not known
        read = self._read
        return [
            read[cell.digest] if cell.digest in read else self._store.look(cell)
            for cell in unit.cells
        ]

    def save(self) -> None:
        """Write what has changed, where that is possible; of two writers the last one stays."""
        for key in self._changed:
            body = json.dumps(self._shards[key], separators=(",", ":")).encode()
            with contextlib.suppress(StoreError):
                write_atomically(inside(self._path(key), self._results), _head(body) + body)
        self._changed.clear()

    def _adopt(self, unit: Unit, folder: "_Folder", entries: dict[str, Summary]) -> "_Folder":
        """Look at records that are no cell's of this unit: of other recipes, or earlier ones.

        Returns:
            The folder as it is then.
        """
        own = {record_name(cell) for cell in unit.cells}
        earlier = []
        if own - folder.records:
            for name in folder.records - own - entries.keys():
                path = self._store.folder(unit) / name
                record = look_at(path)
                if record is None:
                    continue
                stamp = folder.stamp(name, record["files"])
                if record["schema"] < SCHEMA:
                    earlier.append(path)
                elif stamp is not None and not complaint_about(path, record):
                    entries[name] = _summary_of(record, stamp)
            if before := earlier_folder(unit, self._store):
                earlier += sorted(before.glob("rep-*.json"))
        if not earlier:
            return folder
        adopt(unit, self._store, earlier)
        return self._folder(unit)

    def _folder(self, unit: Unit) -> "_Folder":
        return _Folder(f"{self._store.root}/{unit.name}", lambda: self._settled_ns)

    @functools.cached_property
    def _settled_ns(self) -> int:
        """Return when a file must have changed for the last time, by its file system's clock."""
        return int(file_system_time(self._results) * 1e9) - SETTLED_NS

    def _path(self, key: tuple[str, str]) -> Path:
        task, dataset = key
        return self._results / "index" / task / f"{dataset}.index"

    def _summary(
        self, cell: Cell, folder: "_Folder", entries: dict[str, Summary]
    ) -> Summary | None:
        name = record_name(cell)
        if folder.lacks(name):
            return None
        known = entries.pop(name, {})
        same = known.get("digest") == cell.digest
        if same and known["stamp"] == folder.stamp(name, known["files"]):
            entries[name] = known
            return known
        record = self._read[cell.digest] = self._store.look(cell)
        if record is None:
            return None
        stamp = folder.stamp(name, record["files"])
        summary = _summary_of(record, stamp)
        if stamp is not None:
            entries[name] = summary
        return summary


def _summary_of(record: Summary, stamp: str | None) -> Summary:
    summary = {key: record[key] for key in ("digest", "status", "finished")}
    error = record["error"]
    summary["error"] = error and {key: error[key] for key in ("kind", "message")}
    return {**summary, "files": list(record["files"]), "stamp": stamp}


class _Folder:
    """A unit's folder as it is now.

    Attributes:
        is_there: whether it exists.
        records: the names of the records in it.
    """

    def __init__(self, path: str, settled_ns: Callable[[], int]) -> None:
        self._settled_ns = settled_ns
        self._entries: dict[str, os.DirEntry[str]] = {}
        self._listed = self.is_there = True
        try:
            with os.scandir(path) as entries:
                self._entries = {entry.name: entry for entry in entries}
        except FileNotFoundError:
            self.is_there = False
        except OSError:
            self._listed = False
        self.records = {
            name for name in self._entries if name.startswith("rep-") and name.endswith(".json")
        }

    def lacks(self, name: str) -> bool:
        """Return whether there is certainly no such file."""
        return self._listed and name not in self._entries

    def stamp(self, name: str, files: Iterable[str]) -> str | None:
        """Return size and times of the last change, in ns, of a record and the files beside it.

        Args:
            files: the endings of their names.

        Returns:
            None where one is absent, changed just now or is no plain file: what they hold is not
            to be kept.
        """
        stem = name.removesuffix("json")
        stamps = []
        for file in (name, *[stem + ending for ending in files]):
            try:
                status = self._entries[file].stat(follow_symlinks=False)
            except (KeyError, OSError):  # absent, or gone meanwhile
                return None
            stamp = stamp_of(status, self._settled_ns())
            if stamp is None or status.st_mtime_ns >= self._settled_ns():
                return None
            stamps.append(" ".join(map(str, stamp[:3])))
        return ", ".join(stamps)


def is_whole_index(path: Path, results: Path) -> bool:
    """Return whether an index file is there, as it was written and of today's rules."""
    return _read(path, results) is not None


def _read(path: Path, results: Path) -> Shard | None:
    """Return an index file's content; None where it is absent, damaged, or of other rules."""
    try:
        head, _, body = read_regular(inside(path, results)).partition(b"\n")
        if head + b"\n" != _head(body):
            return None
        shard: Shard = json.loads(body)
        entries = (entry for entries in shard.values() for entry in entries.values())
        return shard if all(map(_is_summary, entries)) else None
    except (
        OSError,
        StoreError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return None


def _is_summary(entry: Any) -> bool:
    """Return whether an entry has a summary's shape; raise LookupError where it lacks a key."""
    error, files = entry["error"], entry["files"]
    words = () if error is None else (error["kind"], error["message"])
    texts = (entry["digest"], entry["status"], entry["finished"], entry["stamp"], *words, *files)
    return type(files) is list and {*map(type, texts)} == {str}


def _head(body: bytes) -> bytes:
    return f"{RULES} {hashlib.sha256(body).hexdigest()}\n".encode()
