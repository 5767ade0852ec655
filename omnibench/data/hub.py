"""Parquet files of a Hugging Face dataset repository, in `DATA/<id>/`: what is there, fetching it.

A file belongs to the split its name begins with: train, val (so also "validation") or test. No
parquet file is opened here.
"""

import hashlib
import re
from pathlib import Path

from omnibench import hub_access
from omnibench.cards import SPLITS, DatasetCard
from omnibench.data.checksums import sha256_of
from omnibench.errors import DataError

SHARD = re.compile(r"(.*-)(\d{5})-of-(\d{5})\.parquet")


def shards(card: DatasetCard, data_dir: Path) -> dict[str, tuple[Path, ...]]:
    """Return split -> its parquet files from the dataset's folder and the `data/` in it."""
    folder = data_dir / card.id
    paths = {
        path.name: path
        for place in (folder / "data", folder)
        for path in sorted(place.glob("*.parquet"))
    }
    return {
        split: tuple(paths[name] for name in sorted(paths) if name.startswith(split))
        for split in SPLITS
    }


def missing(card: DatasetCard, data_dir: Path) -> list[str]:
    """Return one sentence if a split, or a file of a numbered row of files, is absent."""
    absent = _absent(card, data_dir)
    if not absent:
        return []
    return [
        f"data {card.id}: run `bench.py data fetch {card.id}`, or put the parquet files of the hub "
        f"dataset {card.hub} in {data_dir / card.id} (absent: {', '.join(absent)})"
    ]


def fetch(card: DatasetCard, data_dir: Path) -> None:
    """Download the files that are absent; a file that broke off is continued.

    Raises:
        DataError: the hub is out of reach, refuses, or lacks a file, or there is no room.
    """
    if missing(card, data_dir):
        reason = _download(card, data_dir / card.id)
        absent = _absent(card, data_dir)
        if absent:
            raise DataError(
                f"{card.hub} cannot be fetched ({reason}; absent: {', '.join(absent)}); try again, "
                f"what came already is kept, or put its parquet files in "
                f"{data_dir / card.id}"
            )
    source_digest(card, data_dir)  # computed now, so that `plan` finds it remembered


def source_digest(card: DatasetCard, data_dir: Path) -> str:
    """Return "sha256:..." of the parquet files and their names.

    Raises:
        DataError: one is absent or cannot be read.
    """
    absent = missing(card, data_dir)
    if absent:
        raise DataError(absent[0])
    digest = hashlib.sha256()
    for paths in shards(card, data_dir).values():
        for path in paths:
            digest.update(f"{path.name}\0{sha256_of(path, data_dir)}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _absent(card: DatasetCard, data_dir: Path) -> list[str]:
    absent = []
    for split, paths in shards(card, data_dir).items():
        names = {path.name for path in paths}
        match = next(filter(None, map(SHARD.fullmatch, sorted(names))), None)
        if not names:
            absent.append(f"{split}*.parquet")
        elif match:
            first, _, count = match.groups()
            row = (f"{first}{index:05}-of-{count}.parquet" for index in range(int(count)))
            absent += [name for name in row if name not in names]
    return absent[:3] + ["..."] * (len(absent) > 3)


def _download(card: DatasetCard, folder: Path) -> str:
    """Download what is absent as far as it goes; return why it may not be all."""
    import huggingface_hub

    try:
        huggingface_hub.snapshot_download(
            str(card.hub),
            repo_type="dataset",
            revision=card.revision,
            allow_patterns="*.parquet",
            ignore_patterns=[f"*/{path.name}" for path in folder.glob("*.parquet")],  # put there
            local_dir=folder,
        )
    except Exception as error:  # of its HTTP client, too, which is another one each version
        return hub_access.refusal(error, f"datasets/{card.hub}", card.revision)
    return "the hub is out of reach or lacks some"
