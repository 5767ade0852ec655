"""What pending units will roughly take, from FLOPs and image counts. No torch here."""

from collections.abc import Sequence
from typing import Any

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.features import FeatureStore, feature_key
from omnibench.placement import MAPS, TOKENS, kept_in_memory, row_bytes
from omnibench.rates import forward_flops, frozen_rate
from omnibench.task import Adaptation

# A backward pass costs two forward ones.
TRAINED = 3
RECORD_BYTES, RECORD_SECONDS = 20_000, 0.5
# What an adaptation keeps of every position of an image, not of the image alone.
KINDS = {"maps": MAPS, "tokens": TOKENS}


def estimate(pending: Sequence[Unit], context: Context) -> dict[str, Any]:
    """Rough seconds and bytes the pending units will take.

    Features that are in the store already cost nothing; those shared by units count once.

    Returns:
        seconds, disk_bytes, and how many units keep their maps or tokens on disk and in memory.
    """
    seconds, disk = 0.0, 0.0
    places = {"disk": 0, "memory": 0}  # units
    seen: set[str] = set()
    store = FeatureStore(context.features)
    for unit in pending:
        adaptation = tasks.get(unit.task).adaptations[unit.adaptation]
        images = image_counts(unit)
        kind = KINDS.get(adaptation.frozen_kind or "")
        held = kind is not None and kept_in_memory(unit, kind, sum(images.values()), context)
        if kind is not None:
            places["memory" if held else "disk"] += 1
        for split, count in images.items() if adaptation.frozen_kind else ():
            key = feature_key(unit, split, kind or "embed")
            if held or (key.digest not in seen and not store.holds(key)):
                seconds += count * _forward_seconds(unit, context)
                each = row_bytes(unit, kind) if kind else 4 * (unit.backbone.width or 1024)
                disk += 0 if held else count * each
                seen.add(key.digest)
        seconds += _training_seconds(unit, adaptation, images, context)
        seconds += RECORD_SECONDS * len(unit.repetitions)
        disk += RECORD_BYTES * len(unit.repetitions)
    return {"seconds": round(seconds, 1), "disk_bytes": round(disk), "kept": places}


def image_counts(unit: Unit) -> dict[str, int]:
    """Images a split, as the recipe limits them."""
    limit = unit.recipe["limit"]
    return {split: min(count, limit or count) for split, count in unit.dataset.splits.items()}


def _forward_seconds(unit: Unit, context: Context) -> float:
    flops = forward_flops(unit.backbone, unit.recipe["input_size"])
    return flops / frozen_rate(unit.recipe["precision"], context.device)


def _training_seconds(
    unit: Unit, adaptation: Adaptation, images: dict[str, int], context: Context
) -> float:
    """Of every repetition: what is trained itself, and the backbone where it is not kept."""
    if adaptation.varies == "nothing" or "epochs" not in unit.recipe:
        return 0.0
    train, val = images.get("train", 0), images.get("val", 0)
    passes = 0.0
    if adaptation.frozen_kind is None:
        each = adaptation.passes or (TRAINED if adaptation.through_backbone else 1)
        passes = (each * train + val) * _forward_seconds(unit, context)
    if adaptation.head_flops is not None:
        flops = adaptation.head_flops(unit.backbone, unit.recipe["input_size"])
        rate = frozen_rate(unit.recipe["precision"], context.device)
        passes += (TRAINED * train + val) * flops / rate
    return len(unit.repetitions) * float(unit.recipe["epochs"]) * passes
