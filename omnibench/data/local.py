"""Cards of datasets in a file or folder of one's own."""

import re
from pathlib import Path
from typing import Any

from omnibench.cards import DatasetCard


def local_card(kind: str, path: Path, **facts: Any) -> DatasetCard:
    """Return the card of `KIND:PATH`: named after its file or folder, read by the kind's module.

    Args:
        facts: further fields of the card; without `tasks` it stands for a dataset that cannot be
            read, and `sources.missing` says why.
    """
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name.removesuffix(f".{kind}"))
    return DatasetCard(
        id=f"{kind}-{name}",
        reader=f"omnibench.data.{kind}:read",
        path=str(path),
        **{"tasks": ()} | facts,
    )
