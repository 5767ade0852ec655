"""Pack the records of a suite."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from omnibench.bundles.archive import Manifest, write_archive
from omnibench.bundles.portable import portable, without_paths
from omnibench.errors import RequestError
from omnibench.files import inside, read_regular
from omnibench.record import checksum
from omnibench.session import MONITORED
from omnibench.states import CellState
from omnibench.store import RecordStore
from omnibench.suite import Suite
from omnibench.yaml_file import read_yaml

# In a suite `npz:PATH` and the like, or a path alone, that leads through folders of this machine.
LOCAL = re.compile(r"((?:[a-z_]+:)?)(?:~|/|\.\.[\\/]|[A-Za-z]:[\\/]|\\\\)\S.*")
SUITES = "suites"  # folder of the suites that bundles brought along


@dataclass(frozen=True)
class Packed:
    """What went into an archive.

    Attributes:
        records: status -> number of records.
        newer: records that a newer omnibench wrote, which stay where they are.
    """

    path: Path
    records: Counter[str]
    files: int
    newer: int


def pack(
    suite: Suite, source: Path, states: Sequence[CellState], store: RecordStore, path: Path
) -> Packed:
    """Write a suite's records, what lies beside them and its file into an archive.

    Args:
        source: the suite's file.
        states: of its cells, with whole records.

    Raises:
        RequestError: there is no record.
        StoreError: the archive cannot be written, or a record's predictions cannot be read.
    """
    name, results = suite.name, store.root.parent
    contents: dict[str, bytes | Path] = {}
    checksums: dict[str, str] = {}
    counts: Counter[str] = Counter()
    newer = 0
    for state in states:
        if state.record is None:
            continue
        if state.state == "blocked":
            newer += 1
            continue
        record_path = store.path(state.cell)
        packed = portable(record_path, state.record)
        counts[state.state] += 1
        place = record_path.relative_to(results)
        contents[place.as_posix()] = packed.content
        for ending, content in packed.files.items():
            file = place.with_suffix(f".{ending}").as_posix()
            contents[file] = content
            if isinstance(content, Path):  # its record has been held to it
                checksums[file] = state.record["files"][ending]
    if not counts:
        raise RequestError(
            f"the suite '{name}' has no record below {store.root}; run it before it is packed"
        )
    contents[f"{SUITES}/{name}.yaml"] = _portable_suite(source)
    monitored = inside(results / MONITORED / f"{name}.json", results)
    if monitored.is_file():
        contents[f"{MONITORED}/{name}.json"] = read_regular(monitored)
    checksums |= {n: checksum(c) for n, c in contents.items() if isinstance(c, bytes)}
    write_archive(path, Manifest(metadata.version("omnibench"), name, checksums), contents)
    return Packed(path, counts, len(contents), newer)


def _portable_suite(source: Path) -> bytes:
    """Return a suite's file without comments, and without the folders of this machine."""
    return yaml.safe_dump(_without_folders(read_yaml(source)), sort_keys=False).encode()


def _without_folders(value: Any) -> Any:
    if isinstance(value, str):
        if match := LOCAL.fullmatch(value):
            return match[1] + re.split(r"[/\\]", value)[-1]
        return without_paths(value)
    if isinstance(value, dict):
        return {key: _without_folders(inner) for key, inner in value.items()}
    return [_without_folders(inner) for inner in value] if isinstance(value, list) else value
