"""What a suite asks for and is not on this machine, and whether the disk has room for it."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from omnibench import weights
from omnibench.cards import BackboneCard, WeightsCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import sources
from omnibench.estimate import estimate
from omnibench.findings import Finding

SPARE_BYTES = 2 * 2**30  # for checkpoints, which go when their training ends
FLOAT_BYTES = 4


def absent(needs: Iterable[str]) -> Iterator[Finding]:
    """Yield weights, datasets and language models that are absent.

    Args:
        needs: "weights dino-small: how to get it", as `omnibench.sources` words them.
    """
    seen = set()
    for need in needs:
        name, _, fix = need.partition(": ")
        if name not in seen:
            seen.add(name)
            yield Finding(name, "FAIL", "absent", fix)


def disk(pending: Sequence[Unit], context: Context) -> Finding:
    """Compare free space with features, records, and what is still to be fetched and unpacked."""
    written = estimate(pending, context)["disk_bytes"]
    fetched, unknown = to_fetch(pending, context.data)
    free = shutil.disk_usage(_existing(context.data)).free
    message = f"{free / 1e9:.1f} GB free, about {written / 1e9:.2f} GB to write"
    if fetched:
        message += f", at most {fetched / 1e9:.1f} GB to fetch and unpack"
    if unknown:
        message += f" (without {', '.join(unknown)}, whose size is not known)"
    if free > written + fetched + SPARE_BYTES:
        return Finding("disk", "PASS", message)
    return Finding(
        "disk",
        "FAIL",
        message,
        "make room, choose another folder with --data, or run one task after the other (--tasks) "
        "with `bench.py cache prune` between them",
    )


def to_fetch(units: Sequence[Unit], data: Path) -> tuple[int, list[str]]:
    """Return the bytes of absent weights and datasets, at most, and names of those of unknown size.

    A dataset is reckoned twice, as its file and as the plain bytes that it is unpacked to once.
    """
    sizes: dict[str, int | None] = {}
    for unit in units:
        loads = tasks.get(unit.task).adaptations[unit.adaptation].loads
        for card in (unit.backbone, *([loads] if loads else [])):
            if weights.hub_repository(card) and weights.locate(card, data) is None:
                sizes[card.id] = weights_bytes(card)
        for dataset in unit.dataset.members or (unit.dataset,):
            if dataset.path is None and sources.missing(dataset, data):
                raw = sources.dataset_bytes(dataset)
                sizes[dataset.id] = None if raw is None else 2 * raw
    unknown = [name for name, size in sizes.items() if size is None]
    return sum(size or 0 for size in sizes.values()), unknown


def weights_bytes(card: WeightsCard) -> int | None:
    """Return the size of a ViT's weights, 12 D^2 parameters a block; None for others."""
    if not (isinstance(card, BackboneCard) and card.patch and card.width and card.depth):
        return None
    return FLOAT_BYTES * 12 * card.depth * card.width**2


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
