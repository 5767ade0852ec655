"""Records of the version before, taken over for the cells whose numbers they hold.

Up to schema 1 a digest held every resolved field, with `precision: auto` as the machine had it.
What such a record says of itself is compared with the cell, field by field; nothing is computed.
"""

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.cell import Cell, Unit
from omnibench.errors import RequestError, StoreError
from omnibench.files import open_regular, plain, sync_folder, write_atomically
from omnibench.record import FILE_ENDING, SCHEMA, as_bytes, look_at, read_record
from omnibench.record_files import predictions_path, read_predictions
from omnibench.store import RecordStore, record_name
from omnibench.weights_record import find_weights_record

log = logging.getLogger("omnibench")
Record = Mapping[str, Any]


def adopt(unit: Unit, store: RecordStore, earlier: Iterable[Path]) -> None:
    """Give a unit's cells the records of schema 1 that hold their numbers.

    A record that was taken over has the cell's digest, and its own from before as `adopted`; what
    lies beside it goes with it. A folder that cannot be written is named, and left as it is.

    Args:
        earlier: records of the unit's folder that are not those of its cells.
    """
    candidates: dict[int, list[tuple[Path, dict[str, Any]]]] = {}
    for path in earlier:
        record = look_at(path)
        if record is not None and record["schema"] == 1:
            candidates.setdefault(record["spec"]["repetition"], []).append((path, record))
    if candidates and (why := _why_not(unit)):
        log.warning(
            "%s: its records of the version before are not taken over, as %s; they are computed "
            "again",
            unit.name,
            why,
        )
        return
    for cell in unit.cells if candidates else ():
        same = [
            (path, record)
            for path, record in candidates.get(cell.repetition, ())
            if _holds(record, cell, store) and _is_readable(path)
        ]
        # Of the same cell in two precisions: what is done, and of that the latest.
        same.sort(key=lambda pair: (pair[1]["status"] == "done", pair[1]["finished"]))
        if same:
            try:
                _take_over(*same[-1], cell, store)
            except (OSError, StoreError, ValueError) as error:  # the last of NaN in its notes
                log.warning("%s is of an earlier version and stays so: %s", same[-1][0], error)


def _is_readable(path: Path) -> bool:
    """Whether the predictions of a record, which had no checksum yet, can be read; once."""
    try:
        if predictions_path(path).is_file():
            read_predictions(path)
    except StoreError as error:
        log.warning("%s is of an earlier version and stays so: %s", path, error)
        return False
    return True


def earlier_folder(unit: Unit, store: RecordStore) -> Path | None:
    """Return where the version before kept the records of a backbone that a digest names."""
    before = _maker_before(unit, store)
    if not before or unit.backbone.id != f"pretrain-{unit.backbone.source_name[:8]}":
        return None
    return store.root / unit.task / unit.dataset.id / f"pretrain-{before[:8]}" / unit.short


def _holds(record: Record, cell: Cell, store: RecordStore) -> bool:
    """Whether a record of schema 1 is what this cell would compute."""
    unit, spec = cell.unit, cell.unit.spec(cell.repetition)
    before: Record = record["spec"]
    names = {unit.backbone.id, f"pretrain-{_maker_before(unit, store)[:8]}"}
    plain = ("task", "dataset", "adaptation", "short", "decodings", "seed", "repetition")
    recipe = dict(spec["recipe"])
    if recipe.get("precision") == "auto":  # which stood there as the machine had it
        recipe["precision"] = before["recipe"].get("precision", "auto")
    decides = unit.deciding or {"options": {}, "recipe": {}}
    return (
        all(before[name] == spec[name] for name in plain)
        and before["backbone"] in names
        and record["pairing"] == unit.pairing(cell.repetition)
        and _agree(before["recipe"], recipe, decides["recipe"])
        and _agree(before["options"], spec["options"], decides["options"])
        and _same_sources(record["digests"], unit, store)
    )


def _agree(before: Record, now: Record, deciding: Record) -> bool:
    """Whether two sets of fields are equal, but for new ones that are at their default."""
    return before.keys() <= now.keys() and all(
        before[name] == value if name in before else name not in deciding
        for name, value in now.items()
    )


def _same_sources(digests: Record, unit: Unit, store: RecordStore) -> bool:
    prefix = "source."
    before = {n.removeprefix(prefix): text for n, text in digests.items() if n.startswith(prefix)}
    for name, text in unit.sources.items():
        # Up to schema 1 what a path among the options holds stood as the adaptation's.
        known = before.get(name, before.get("adaptation", "") if name in unit.options else "")
        if name == "backbone":
            if not _same_backbone(known, text, unit, store):
                return False
        elif _parts(known) != _parts(text):
            return False
    return True


def _same_backbone(before: str, now: str, unit: Unit, store: RecordStore) -> bool:
    """Whether two source digests name the same weights, used in the same way."""
    (weights, fields), (weights_now, fields_now) = _parts(before), _parts(now)
    card = unit.backbone
    values = card.model_dump(mode="json")
    if any(values.get(name) != value for name, value in fields.items()):
        return False
    if card.source_kind == "module":
        return weights == card.checksum
    if card.source_kind == "record":
        return weights == _maker_before(unit, store)
    return weights == weights_now and fields_now.keys() <= fields.keys()


def _why_not(unit: Unit) -> str:
    """Return why no record of schema 1 is a unit's; "" where one may be."""
    card = unit.backbone
    if card.source_kind == "module" and not card.source.startswith("omnibench."):
        return "they may hold what another builder made"  # its file alone told it
    if unit.recipe.get("limit") is not None:
        return "its limit draws other images now"
    task = tasks.get(unit.task) if unit.task in tasks else None
    adaptation = task.adaptations.get(unit.adaptation) if task else None
    if adaptation and adaptation.changed_since_1 and adaptation.changed_since_1(card):
        return f"what {unit.adaptation} computes on such a backbone has changed"
    return ""


def _parts(digest: str) -> tuple[str, dict[str, Any]]:
    """Return the weights' digest, and the fields of the card that a source digest adds."""
    weights, _, fields = digest.partition(" {")
    try:
        return weights, json.loads(f"{{{fields}") if fields else {}
    except (ValueError, RecursionError):  # of a record that had no checksum yet
        return digest, {}


def _maker_before(unit: Unit, store: RecordStore) -> str:
    """Return the digest that the pretraining of a unit's backbone had before; "" without one."""
    if unit.backbone.source_kind != "record":
        return ""
    maker = unit.backbone.source_name
    if maker not in store.adopted:  # looked for once: it takes a look at every pretraining
        store.adopted[maker] = ""
        with contextlib.suppress(RequestError, StoreError):
            record = find_weights_record(store.root.parent, maker)
            store.adopted[maker] = str(record["adopted"])
    return store.adopted[maker]


def _take_over(path: Path, record: dict[str, Any], cell: Cell, store: RecordStore) -> None:
    """Move a record and what lies beside it to where its cell's are; nothing is lost on the way.

    Raises:
        OSError, StoreError: a file cannot be read or moved, or is a link out of its folder.
        ValueError: the record holds what JSON does not know.
    """
    place = store.path(cell)
    place.parent.mkdir(parents=True, exist_ok=True)
    # Of a take-over that broke off, some lie under the new name already.
    files = {**_beside(place), **_beside(path)}
    sources = {f"source.{name}": text for name, text in cell.unit.sources.items()}
    loaded = {n: text for n, text in record["digests"].items() if not n.startswith("source.")}
    content = as_bytes(
        {
            **record,
            "schema": SCHEMA,
            "digest": cell.digest,
            "adopted": record["digest"],
            "spec": cell.unit.spec(cell.repetition),
            "digests": {**sources, **loaded},
            "files": {ending: _sha256_of(file) for ending, file in files.items()},
        }
    )
    for ending, file in files.items():
        file.replace(place.with_suffix(f".{ending}"))
    write_atomically(place, content)
    if read_record(place) is not None:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    log.debug("%s is the record of %s now", path, record_name(cell))


def _beside(path: Path) -> dict[str, Path]:
    """Return the files that belong to a record, by their endings; not an editor's copy of it."""
    files = {}
    for file in sorted(path.parent.glob(f"{path.stem}.*")):
        ending = file.name.removeprefix(f"{path.stem}.")
        if FILE_ENDING.fullmatch(ending) and not ending.startswith("json"):
            files[ending] = file
    return files


def _sha256_of(file: Path) -> str:
    with open_regular(plain(file)) as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
