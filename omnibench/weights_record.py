"""The record of a training that left weights: of a backbone, or all it trained. No torch here."""

from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.cell import LEAVES
from omnibench.errors import RequestError
from omnibench.files import inside, plain
from omnibench.record import look_at, read_record
from omnibench.record_files import WEIGHTS

DIGITS = 64  # of a whole digest
# What its notes tell of the weights.
FACTS = {"architecture": str, "model_args": dict, "mean": list, "std": list, "images": dict}


def weights_folders(results: Path) -> list[Path]:
    """Return the folders below which records have left the weights of backbones."""
    makers = [results / "records" / name for name in tasks if tasks.get(name).makes_backbones]
    return [*makers, *sorted((results / "records").glob(f"*/*/*/*{LEAVES}"))]


def _require_one(results: Path, digest: str) -> None:
    """Be sure that records of one cell alone have digests that start with `digest`.

    Raises:
        RequestError: there are several, which are listed.
    """
    paths = sorted((results / "records").glob(f"*/*/*/*/rep-*-{digest[:8]}.json"))
    if len(digest) == DIGITS or len(paths) == 1:
        return
    digests = {record["digest"]: path for path in paths if (record := look_at(path)) is not None}
    several = [name for name in digests if name.startswith(digest)]
    if len(several) > 1:
        raise RequestError(
            f"{len(several)} records have a digest that starts with {digest}; give more of it: "
            + ", ".join(f"{name} ({digests[name].parent})" for name in several)
        )


def find_weights_record(results: Path, digest: str) -> dict[str, Any]:
    """Return the record whose digest starts with `digest`, with its `path` added.

    The weights it left lie beside it as `.safetensors`.

    Raises:
        RequestError: there is none, or are several, it left no weights, or does not tell what they
            are of.
        LinkError: a link leads out of the results folder, to the record or its weights.
        NewerRecordError: a newer omnibench wrote it.
    """
    _require_one(results, digest)
    folders = weights_folders(results)
    records = [path for folder in folders for path in sorted(folder.rglob("rep-*.json"))]
    # By name first; the digest that a record had in the version before stands inside it alone.
    for path in sorted(records, key=lambda path: not path.stem.endswith(digest[:8])):
        # Of those that are not called so, one that is newer or a link out may be another's.
        is_called_so = path.stem.endswith(digest[:8])
        record = read_record(inside(path, results)) if is_called_so else look_at(path)
        if record is None or record["status"] != "done":
            continue
        if any(str(known).startswith(digest) for known in (record["digest"], record["adopted"])):
            inside(path, results)
            notes = record["notes"]
            if any(type(notes.get(name)) is not kind for name, kind in FACTS.items()):
                raise RequestError(
                    f"the record {path} does not tell what its weights are of; "
                    "run its cell again with --force"
                )
            if plain(path.with_suffix(".safetensors")).is_file():
                return {**record, "path": path}
            raise RequestError(f"the record {path} left no weights; run its cell again")
    raise RequestError(
        f"no record of a training {digest} below {results / 'records'}; run its suite first"
    )


def find_record_with_weights(results: Path, digest: str) -> dict[str, Any] | None:
    """Return the record whose digest starts with `digest` and that kept what it trained.

    Its `path` is added; the weights lie beside it as `WEIGHTS`.

    Returns:
        None where there is no such record but of those that leave backbones.

    Raises:
        RequestError: it failed, kept no weights, or there are several.
        LinkError: a link leads out of the results folder.
        NewerRecordError: a newer omnibench wrote it.
    """
    _require_one(results, digest)
    leaving = weights_folders(results)
    for path in sorted((results / "records").glob(f"*/*/*/*/rep-*-{digest[:8]}.json")):
        if any(path.is_relative_to(folder) for folder in leaving):
            continue
        record = read_record(inside(path, results))
        if record is None or not record["digest"].startswith(digest):
            continue
        if record["status"] != "done":
            raise RequestError(
                f"the cell of the record {path} failed and has no weights; run its suite again "
                "with --retry-failed"
            )
        if WEIGHTS not in record["files"]:
            raise RequestError(
                f"the record {path} kept no weights; add `keep: weights` to its block of the suite "
                "and run that again with --force"
            )
        return {**record, "path": path}
    return None
