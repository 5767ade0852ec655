"""Records on disk: one JSON file a cell, written atomically, readable while others write."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from omnibench.cell import Cell, Unit
from omnibench.errors import NewerRecordError, RequestError
from omnibench.files import Check, inside, unchecked, write_atomically
from omnibench.record import NEWER, as_bytes, checksum, read_record
from omnibench.record_files import WEIGHTS, complaint_about, packed

log = logging.getLogger("omnibench")


def record_name(cell: Cell) -> str:
    """Return the name of a cell's record in its unit's folder."""
    return f"rep-{cell.repetition}-{cell.digest[:8]}.json"


class RecordStore:
    """The records below one results folder."""

    def __init__(self, results: Path) -> None:
        self.root = results / "records"
        self.adopted: dict[str, str] = {}  # of pretraining cells the digest before, as looked up
        self._inside: set[str] = set()  # units whose folder was followed: it costs more than a read

    def folder(self, unit: Unit) -> Path:
        """Return the folder where a unit's records are, or will be.

        Raises:
            LinkError: a link on its way leads out of the results folder.
        """
        folder = self.root / unit.name
        if unit.name not in self._inside:
            inside(folder, self.root.parent)
            self._inside.add(unit.name)
        return folder

    def path(self, cell: Cell) -> Path:
        """Return the path where a cell's record is, or will be.

        Raises:
            LinkError: as `folder`.
        """
        return self.folder(cell.unit) / record_name(cell)

    def read(self, cell: Cell) -> dict[str, Any] | None:
        """Return a cell's record; None where there is none or it cannot be used.

        A record that is damaged or another cell's, and one of whose files a single bit is not as
        it was written, is named in a warning and counts as missing: the cell is computed again.

        Raises:
            LinkError: it, or a file beside it, is a link out of its folder.
            NewerRecordError: a newer omnibench wrote it.
        """
        path = self.path(cell)
        record = read_record(path)
        if record is not None and not _is_of(record, cell):
            log.warning("%s holds another cell's record; it will be computed again", path)
            return None
        if record is not None and (complaint := complaint_about(path, record)):
            log.warning("%s; its cell counts as missing", complaint)
            return None
        return record

    def look(self, cell: Cell) -> dict[str, Any] | None:
        """Return as `read` does; of a newer record its status `newer` and the sentence."""
        try:
            return self.read(cell)
        except NewerRecordError as error:
            refusal = {"kind": error.kind, "message": str(error)}
            return {
                "digest": cell.digest,
                "status": NEWER,
                "finished": "",
                "files": {},
                "error": refusal,
            }

    def write(
        self,
        cell: Cell,
        record: Mapping[str, Any],
        predictions: Mapping[str, NDArray[Any]] | None = None,
        files: Mapping[str, bytes] | None = None,
        check: Check = unchecked,
    ) -> Path:
        """Write a cell's predictions and files, then its record, never there without them.

        Args:
            check: called before each of them appears; what it raises leaves what is there.

        Raises:
            StoreError: the disk is full or the folder not writable.
        """
        path = self.path(cell)
        contents: dict[str, bytes] = dict(files or {})
        if predictions is not None:
            contents |= packed(predictions)
        for ending, content in contents.items():
            write_atomically(path.with_suffix(f".{ending}"), content, check)
        checksums = {ending: checksum(content) for ending, content in contents.items()}
        write_atomically(path, as_bytes({**record, "files": checksums}), check)
        if WEIGHTS not in contents:  # of the record before, which nothing would ever read
            path.with_suffix(f".{WEIGHTS}").unlink(missing_ok=True)
        return path

    def all(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield every readable record and its path, in a stable order; a newer one is named.

        The files beside them are not looked at.

        Raises:
            LinkError: the folder of all records, or one of them, is a link out.
        """
        inside(self.root, self.root.parent)
        for path in sorted(self.root.rglob("*.json")):
            try:
                record = read_record(path)
            except NewerRecordError as error:
                log.warning("left out: %s", error)
                continue
            if record is not None:
                yield path, record


def _is_of(record: Mapping[str, Any], cell: Cell) -> bool:
    spec, unit = record["spec"], cell.unit
    names = (spec["task"], spec["dataset"], spec["backbone"], spec["adaptation"], spec["short"])
    own = (unit.task, unit.dataset.id, unit.backbone.id, unit.adaptation, unit.short)
    same = (names, spec["repetition"]) == (own, cell.repetition)
    return same and bool(record["digest"] == cell.digest)


def check_writable(folder: Path, options: str = "--results or --data") -> None:
    """Create `folder` and write in it once.

    Args:
        options: of the command, with which another can be chosen.

    Raises:
        RequestError: that fails; nothing could be kept there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
    except OSError as error:
        raise RequestError(
            f"the folder '{folder}' is not writable ({error.strerror}); choose another with "
            f"{options}"
        ) from None
