"""The record of a training that left a backbone's weights. No torch here."""

from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.cell import LEAVES
from omnibench.errors import RequestError
from omnibench.files import inside, plain
from omnibench.record import look_at, read_record

# What its notes tell of the weights.
FACTS = {"architecture": str, "model_args": dict, "mean": list, "std": list, "images": dict}


def weights_folders(results: Path) -> list[Path]:
    """Return the folders below which records have left the weights of backbones."""
    makers = [results / "records" / name for name in tasks if tasks.get(name).makes_backbones]
    return [*makers, *sorted((results / "records").glob(f"*/*/*/*{LEAVES}"))]


def find_weights_record(results: Path, digest: str) -> dict[str, Any]:
    """Return the record whose digest starts with `digest`, with its `path` added.

    The weights it left lie beside it as `.safetensors`.

    Raises:
        RequestError: there is none, it left no weights, or does not tell what they are of.
        LinkError: a link leads out of the results folder, to the record or its weights.
        NewerRecordError: a newer omnibench wrote it.
    """
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
