"""What pending units will roughly take, from FLOPs and image counts. No torch here."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.features import FeatureStore, feature_key
from omnibench.placement import MAPS, TOKENS, kept_in_memory, row_bytes
from omnibench.rates import Rates, forward_flops
from omnibench.task import Adaptation

# A backward pass costs two forward ones.
TRAINED = 3
RECORD_BYTES, RECORD_SECONDS = 20_000, 0.5
FORWARD_WORDS = 64  # that one forward of a language model is reckoned with
# What an adaptation keeps of every position of an image, not of the image alone.
KINDS = {"maps": MAPS, "tokens": TOKENS}


def estimate(pending: Sequence[Unit], context: Context) -> dict[str, Any]:
    """Rough seconds and bytes the pending units will take.

    Features that are in the store already cost nothing; those shared by units count once.

    Returns:
        seconds, disk_bytes, how many units keep their maps or tokens on disk and in memory
        ("kept"), and where the rates come from ("basis").
    """
    seconds, disk = 0.0, 0.0
    places = {"disk": 0, "memory": 0}  # units
    seen: set[str] = set()
    store = FeatureStore(context.features)
    rates = Rates.from_context(context)
    for unit in (unit.at_precision(context.precision) for unit in pending):
        adaptation = tasks.get(unit.task).adaptations[unit.adaptation]
        images = unit.images
        draws = len(unit.repetitions) if unit.recipe.get("init") == "per-repetition" else 1
        kind = KINDS.get(adaptation.frozen_kind or "")
        held = kind is not None and kept_in_memory(unit, kind, sum(images.values()), context)
        if kind is not None:
            places["memory" if held else "disk"] += 1
        for split, count in images.items() if adaptation.frozen_kind else ():
            key = feature_key(unit, split, kind or "embed")
            if held or (key.digest not in seen and not store.holds(key)):
                seconds += draws * count * _forward_seconds(unit, rates)
                each = row_bytes(unit, kind) if kind else 4 * (unit.backbone.width or 1024)
                disk += 0 if held else draws * count * each
                seen.add(key.digest)
        seconds += _training_seconds(unit, adaptation, images, rates)
        seconds += _generation_seconds(unit, adaptation, images, rates)
        seconds += RECORD_SECONDS * len(unit.repetitions)
        disk += RECORD_BYTES * len(unit.repetitions)
    basis = rates.calibration.basis
    return {
        "seconds": round(seconds, 1), "disk_bytes": round(disk), "kept": places, "basis": basis
    }  # fmt: skip


def _forward_seconds(unit: Unit, rates: Rates) -> float:
    flops = forward_flops(unit.backbone, unit.recipe["input_size"])
    return flops / rates.frozen(unit.recipe["precision"])


def _training_seconds(
    unit: Unit, adaptation: Adaptation, images: Mapping[str, int], rates: Rates
) -> float:
    """Of every repetition: what is trained itself, and the backbone where it is not kept."""
    if adaptation.varies == "nothing" or "epochs" not in unit.recipe:
        return 0.0
    train, val = images.get("train", 0), images.get("val", 0)
    size, precision = unit.recipe["input_size"], unit.recipe["precision"]
    epoch = 0.0
    if adaptation.frozen_kind is None:
        flops = forward_flops(unit.backbone, size)
        trained = adaptation.passes or TRAINED * adaptation.through_backbone
        epoch += train * trained * flops / rates.trained(precision)
        epoch += (val + train * (not trained)) * flops / rates.frozen(precision)
    if adaptation.head_flops is not None:
        flops = adaptation.head_flops(unit.backbone, size)
        epoch += train * TRAINED * flops / rates.trained(precision)
        epoch += val * flops / rates.frozen(precision)
    return len(unit.repetitions) * float(unit.recipe["epochs"]) * epoch


def _generation_seconds(
    unit: Unit, adaptation: Adaptation, images: Mapping[str, int], rates: Rates
) -> float:
    """Of the test images' texts: every beam of every decoding, to its largest length."""
    if adaptation.head_flops is None:
        return 0.0
    words = 0
    for decoding in unit.decodings:
        beams, _, length = decoding.removeprefix("b").partition("-t")
        words += int(beams) * int(length)
    flops = adaptation.head_flops(unit.backbone, unit.recipe["input_size"]) / FORWARD_WORDS
    each = words * flops / rates.frozen(unit.recipe["precision"])
    return len(unit.repetitions) * images.get("test", 0) * each
