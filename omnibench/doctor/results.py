"""A results folder: what in it is damaged, of another version, left over, or held by nobody."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omnibench.errors import DamageError, NewerRecordError, StoreError
from omnibench.files import file_system_time, read_regular
from omnibench.findings import Finding
from omnibench.index import is_whole_index
from omnibench.leases import Leases
from omnibench.record import SCHEMA, load_record
from omnibench.record_files import complaint_about

AGAIN = "`bench.py run` of its suite computes the cell again"
STALE_SECONDS = 3600.0  # a file that a writer left for longer than this is nobody's any more
# What a run writes first of all, and what each other command may have left alone.
PARTS = {"records", "leases", "index", "checkpoints", "reports", "slurm"}


def look_over(results: Path) -> Iterator[Finding]:
    """Yield what is wrong below a results folder, a finding a file, then what is right.

    Every record and every file beside one is read whole. A folder of other things is named so.
    """
    names = {path.name for path in results.iterdir()}
    if names and names.isdisjoint(PARTS):
        fix = "give the folder of results, which holds records/"
        yield Finding("records", "FAIL", f"{results} is no folder of results", fix)
        return
    whole = 0
    folders = [results / "records", *sorted((results / "records").rglob("*/"))]
    for folder in folders:
        names = {path.name for path in folder.glob("*") if not path.is_dir()}
        for name in sorted(names):
            if name.startswith("."):
                continue  # a temporary file, or a lock
            stem, _, ending = name.partition(".")
            if ending == "json":
                findings = [*_record(folder / name, results)]
                whole += not findings
                yield from findings
            elif f"{stem}.json" not in names:
                yield Finding(
                    _name(folder / name, results),
                    "WARN",
                    "orphaned: the record that it belongs to is absent",
                    f"{AGAIN} and writes it anew; or delete it",
                )
    yield from _temporary(results)
    yield from _indexes(results)
    yield from _leases(results)
    yield Finding("records", "PASS", f"{whole} are whole, with every file beside them")


def _record(path: Path, results: Path) -> Iterator[Finding]:
    name = _name(path, results)
    try:
        record = load_record(path)
        complaint = complaint_about(path, record)
    except FileNotFoundError:
        return  # gone meanwhile
    except NewerRecordError as error:
        yield Finding(name, "WARN", str(error), "install that version, or leave the record to it")
    except DamageError:
        yield Finding(name, "FAIL", "damaged or unreadable", AGAIN)
    except StoreError as error:  # a link out
        yield Finding(name, "FAIL", str(error), "remove the link")
    else:
        if complaint:
            yield Finding(name, "FAIL", complaint, AGAIN)
        elif not path.stem.endswith(f"-{record['digest'][:8]}"):
            yield Finding(name, "FAIL", "holds another cell's record", f"delete it; {AGAIN}")
        elif record["schema"] < SCHEMA:
            message = f"of an earlier version (schema {record['schema']}), without a checksum"
            yield Finding(name, "WARN", message, "`bench.py plan` of its suite takes it over")


def _temporary(results: Path) -> Iterator[Finding]:
    paths = sorted(results.rglob(".*.tmp"))
    now = file_system_time(results) if paths else 0.0
    for path in paths:
        try:
            age = now - path.lstat().st_mtime
        except OSError:
            continue  # gone meanwhile
        if age > STALE_SECONDS:
            message = f"a temporary file, not written to for {age / 3600:.0f} h"
            yield Finding(_name(path, results), "WARN", message, f"rm {shlex.quote(str(path))}")


def _indexes(results: Path) -> Iterator[Finding]:
    for path in sorted((results / "index").rglob("*.index")):
        if not is_whole_index(path, results):
            fix = "none needed: the next command that reads it makes it again"
            yield Finding(_name(path, results), "WARN", "damaged, or of another version", fix)


def _leases(results: Path) -> Iterator[Finding]:
    leases = Leases(results)
    living = leases.living()
    for path in sorted(leases.folder.glob("*.lease")):
        try:
            lease: Any = json.loads(read_regular(path))
            unit = str(lease["unit"])
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            fix = f"where no runner is at work: rm {shlex.quote(str(path))}"
            yield Finding(_name(path, results), "WARN", "damaged: it names no unit", fix)
            continue
        if unit not in living:
            message = f"held by nobody: its runner of {unit} is gone"
            fix = "none needed: the next runner takes it over"
            yield Finding(_name(path, results), "WARN", message, fix)


def _name(path: Path, results: Path) -> str:
    return path.relative_to(results).as_posix()
