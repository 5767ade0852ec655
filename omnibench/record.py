"""The record of a cell as a file: its shape, its checksum, and the shape it had before."""

import hashlib
import json
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.cell import Cell, canonical
from omnibench.errors import DamageError, NewerRecordError, StoreError
from omnibench.files import plain, read_regular
from omnibench.label_budget import WHOLE

SCHEMA = 2
NEWER = "newer"  # the status of a record that a newer omnibench wrote, as seen by this one
LARGEST = 2**1000  # of whole numbers, all of which are floats too
log = logging.getLogger("omnibench")

# Key -> the type of its value.
SHAPE: Mapping[str, type] = {
    "schema": int,
    "digest": str,
    "adopted": str,
    "spec": dict,
    "status": str,
    "metrics": dict,
    "cost": dict,
    "environment": dict,
    "notes": dict,
    "digests": dict,
    "pairing": str,
    "files": dict,
    "started": str,
    "finished": str,
}
SPEC_SHAPE: Mapping[str, type] = {
    "task": str,
    "dataset": str,
    "backbone": str,
    "adaptation": str,
    "short": str,
    "options": dict,
    "recipe": dict,
    "decodings": list,
    "seed": int,
    "repetition": int,
}
# What a block asks for beyond what all do; a record without it is of all labels, and so on.
BEYOND_SHAPE: Mapping[str, type] = {"labels": str, "test_on": list, "mix": dict}
NOTHING_BEYOND: Mapping[str, Any] = {"labels": WHOLE, "test_on": [], "mix": {}}
FILE_ENDING = re.compile(r"[\w@-]+(\.[\w@-]+)*")
# What stands for what an environment does not tell.
ENVIRONMENT: Mapping[str, Any] = {"packages": {}, "plugins": [], "precision": ""}
# Of schema 1, where whatever a task noted stood among the facts of the machine.
MACHINE_FACTS = ("python", "platform", "packages", "device", "threads")


def blank(cell: Cell) -> dict[str, Any]:
    """Return the record of a cell of which nothing is known yet."""
    return {
        "schema": SCHEMA,
        "digest": cell.digest,
        "adopted": "",
        "spec": cell.unit.spec(cell.repetition),
        "status": "",
        "metrics": {},
        "cost": {},
        "environment": {},
        "notes": {},
        "digests": {f"source.{name}": text for name, text in cell.unit.sources.items()},
        "pairing": cell.unit.pairing(cell.repetition),
        "files": {},
        "error": None,
        "started": "",
        "finished": "",
    }


def as_bytes(record: Mapping[str, Any]) -> bytes:
    """Return a record's file: JSON with its checksum, which covers everything else.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    text = json.dumps({**record, "checksum": ""}, allow_nan=False)
    content = json.loads(text)  # as it is read again: keys are texts, tuples are lists
    content["checksum"] = _checksum_of(content)
    return json.dumps(content, indent=1).encode()


def checksum(content: bytes) -> str:
    """Return "sha256:" and 64 hex digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_record(path: Path) -> dict[str, Any] | None:
    """Read one record; None where it is absent, or damaged, which is named in a warning.

    Raises:
        LinkError: it is a link out of its folder.
        NewerRecordError: a newer omnibench wrote it.
    """
    try:
        return load_record(path)
    except FileNotFoundError:
        return None
    except DamageError as error:
        log.warning("%s; its cell counts as missing", error)
        return None


def load_record(path: Path) -> dict[str, Any]:
    """Read one record; one of schema 1 comes in today's shape, its `schema` still 1.

    Raises:
        DamageError: it cannot be read, or is not as it was written.
        FileNotFoundError: there is none.
        LinkError: it is a link out of its folder.
        NewerRecordError: a newer omnibench wrote it.
    """
    try:
        content = read_regular(plain(path))
    except FileNotFoundError:
        raise
    except OSError:
        content = b""
    return parse_record(content, path)


def parse_record(content: bytes, path: Path) -> dict[str, Any]:
    """Return the record that a file's content is, as `load_record` does.

    Args:
        path: where it lies, or would.

    Raises:
        DamageError: it is not as it was written.
        NewerRecordError: a newer omnibench wrote it.
    """
    try:
        record = json.loads(content, parse_int=_whole_number)
    except (ValueError, RecursionError):
        record = None
    schema = record.get("schema") if isinstance(record, dict) else None
    if isinstance(schema, int) and schema > SCHEMA and _is_newer(record):
        raise NewerRecordError(
            f"the record {path} has schema {schema}, and this omnibench knows {SCHEMA}: use the "
            "newer omnibench that wrote it, or another folder with --results"
        )
    if isinstance(record, dict) and schema == 1:
        record = _from_schema_1(record, path)
    if not isinstance(record, dict) or not _is_whole(record):
        raise DamageError(f"the record {path} is damaged")
    return record


def _whole_number(digits: str) -> int:
    number = int(digits)
    if abs(number) > LARGEST:
        raise ValueError("no float holds it")
    return number


def look_at(path: Path) -> dict[str, Any] | None:
    """Read a record that is no cell's of the suite at hand; one that cannot be used is named."""
    try:
        return load_record(path)
    except FileNotFoundError:
        return None
    except StoreError as error:  # damaged, a newer one, or a link out
        log.warning("left out: %s", error)
        return None


def _is_newer(record: Mapping[str, Any]) -> bool:
    """Return whether it was written with its schema, which no flipped bit made of ours."""
    return "checksum" in record and not _has_checksum({**record, "schema": SCHEMA})


def _from_schema_1(record: dict[str, Any], path: Path) -> dict[str, Any] | None:
    """Return a record of schema 1 in today's shape; None where it is not whole."""
    environment, spec = record.get("environment"), record.get("spec")
    if not isinstance(environment, dict) or not isinstance(spec, dict):
        return None
    recipe = spec.get("recipe")
    precision = recipe.get("precision", "fp32") if isinstance(recipe, dict) else None
    facts = {name: environment[name] for name in MACHINE_FACTS if name in environment}
    return {
        **record,
        "adopted": "",
        "spec": {**spec, "short": path.parent.name},
        "environment": {**facts, "precision": precision},
        "notes": {name: value for name, value in environment.items() if name not in facts},
        "files": {},
    }


def _is_whole(record: Mapping[str, Any]) -> bool:
    """Return whether a record has its shape, a result or an error, and its checksum."""
    if not _has_shape(record, SHAPE) or not _has_shape(record["spec"], SPEC_SHAPE):
        return False
    if not _asks_beyond({**NOTHING_BEYOND, **record["spec"]}):
        return False
    environment = {**ENVIRONMENT, **record["environment"]}
    if not _has_shape(environment, {name: type(value) for name, value in ENVIRONMENT.items()}):
        return False
    error = record.get("error", "absent")
    if record["status"] == "failed":
        words = [error.get(k) for k in ("kind", "message")] if isinstance(error, dict) else []
        has_outcome = bool(words) and all(isinstance(word, str) for word in words)
    else:
        has_outcome = record["status"] == "done" and error is None
    texts = [*record["digests"].values(), *record["files"].values()]
    texts += [*record["spec"]["decodings"], *environment["plugins"]]
    texts += environment["packages"].values()
    # A name such as ".././x" would lead elsewhere.
    names_files = all(map(FILE_ENDING.fullmatch, record["files"]))
    return (
        has_outcome
        and names_files
        and all(map(_is_value, record["metrics"].values()))
        and all(isinstance(text, str) for text in texts)
        and (record["schema"] == 1 or _has_checksum(record))
    )


def _asks_beyond(spec: Mapping[str, Any]) -> bool:
    """Return whether what a spec asks for beyond what all do has its shape."""
    if not _has_shape(spec, BEYOND_SHAPE):
        return False
    views, mix = spec["test_on"], spec["mix"]
    if not all(isinstance(view, dict) and isinstance(view.get("view"), str) for view in views):
        return False
    if not mix:
        return True
    whole = isinstance(mix.get("low"), dict) and isinstance(mix.get("test"), list)
    return whole and all(isinstance(n, int | float) for n in (mix.get("train"), *mix["test"]))


def _has_shape(value: Mapping[str, Any], shape: Mapping[str, type]) -> bool:
    return all(type(value.get(key)) is kind for key, kind in shape.items())


def _is_value(value: object) -> bool:
    """Return whether a metric is a finite number or, undefined, None."""
    if value is None:
        return True
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


def _has_checksum(record: Mapping[str, Any]) -> bool:
    try:
        return bool(record.get("checksum") == _checksum_of(record))
    except ValueError:  # NaN, which JSON does not know
        return False


def _checksum_of(record: Mapping[str, Any]) -> str:
    content = {key: value for key, value in record.items() if key != "checksum"}
    return checksum(canonical(content).encode())
