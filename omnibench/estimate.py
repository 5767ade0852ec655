"""What pending units will roughly take, from FLOPs and image counts. No torch here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnibench.cards import DatasetCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import sources
from omnibench.errors import DataError
from omnibench.features import FeatureStore, feature_key
from omnibench.placement import MAPS, TOKENS, kept_in_memory, row_bytes
from omnibench.rates import TRAINED, Rates, forward_flops
from omnibench.task import Adaptation
from omnibench.views import Corrupted, External

RECORD_BYTES, RECORD_SECONDS = 20_000, 0.5
UNPACKED_BYTES = 80e6  # a second, of NIfTI on one core; npz has twice as many
FLOAT_BYTES = 4
FORWARD_WORDS = 64  # that one forward of a language model is reckoned with
# What an adaptation keeps of every position of an image, not of the image alone.
KINDS = {"maps": MAPS, "tokens": TOKENS}


@dataclass(frozen=True)
class UnitCost:
    """What a unit will roughly take beside the pending ones before it.

    Attributes:
        features: seconds of the frozen passes that all its repetitions share.
        repetitions: seconds of everything else.
        images: that those passes go over.
        known: whether the seconds come from FLOPs and numbers of images; a task from outside, or a
            dataset of one's own, may tell neither.
        disk: bytes.
        place: "disk" or "memory", where its maps or tokens are kept; None for none.
    """

    features: float
    repetitions: float
    images: int
    known: bool
    disk: float
    place: str | None


def estimate(pending: Sequence[Unit], context: Context) -> dict[str, Any]:
    """Rough seconds and bytes the pending units will take.

    Returns:
        seconds, disk_bytes, how many units keep their maps or tokens on disk and in memory
        ("kept"), of how many the seconds lack work that nothing tells ("unknown"), and where the
        rates come from ("basis").
    """
    costs = list(unit_costs(pending, context))
    seconds = sum(cost.features + cost.repetitions for cost in costs)
    places = [cost.place for cost in costs]
    return {
        "seconds": round(seconds, 1),
        "disk_bytes": round(sum(cost.disk for cost in costs)),
        "kept": {place: places.count(place) for place in ("disk", "memory")},
        "unknown": sum(not cost.known for cost in costs),
        "basis": Rates.from_context(context).calibration.basis,
    }


def unit_costs(pending: Sequence[Unit], context: Context) -> Iterator[UnitCost]:
    """Yield what each unit will take.

    Features that are in the store already cost nothing; those shared by units count for the first.
    """
    seen: set[str] = set()
    unpacked: set[str] = set()
    store = FeatureStore(context.features)
    rates = Rates.from_context(context)
    for unit in (unit.at_precision(context.precision) for unit in pending):
        task = tasks.get(unit.task)
        adaptation = task.adaptations[unit.adaptation].under(unit.options)
        adaptation = replace(adaptation, frozen_kind=task.frozen_kind(unit))
        images = unit.images
        draws = len(unit.repetitions) if unit.recipe.get("init") == "per-repetition" else 1
        kind = KINDS.get(adaptation.frozen_kind or "")
        every = sum(count for _, _, count in _splits(unit))
        held = kind is not None and kept_in_memory(unit, kind, every, context)
        features, disk = 0.0, float(RECORD_BYTES * len(unit.repetitions))
        for owner, split, count in _splits(unit) if adaptation.frozen_kind else ():
            for member in owner.members:
                key = feature_key(member, split, str(kind or adaptation.frozen_kind))
                if held or (key.digest not in seen and not store.holds(key)):
                    features += draws * count * _forward_seconds(member, rates)
                    each = row_bytes(unit, kind) if kind else 4 * (member.backbone.width or 1024)
                    rows = count / _images_a_row(owner, adaptation)
                    disk += 0 if held else draws * rows * each
                    seen.add(key.digest)
        if unit.keeps_weights and adaptation.trained_parameters is not None:
            disk += FLOAT_BYTES * adaptation.trained_parameters(unit) * len(unit.repetitions)
        own = _training_seconds(unit, adaptation, images, rates)
        own += _generation_seconds(unit, adaptation, images, rates)
        if adaptation.frozen_kind is None:  # each repetition predicts its views itself
            viewed = sum(count for _, split, count in _further(unit) if split[:4] == "test")
            own += len(unit.repetitions) * viewed * _forward_seconds(unit, rates)
        passes = adaptation.frozen_kind is not None or own > 0
        known = bool(images) and passes and not adaptation.further_work
        own += RECORD_SECONDS * len(unit.repetitions)
        for owner, _, _ in _splits(unit):
            if owner.dataset.id not in unpacked:
                unpacked.add(owner.dataset.id)
                size = _to_unpack(owner.dataset, context.data)
                own, disk = own + size / UNPACKED_BYTES, disk + size
        if draws > 1:  # each repetition has passes of its own
            features, own = 0.0, own + features
        place = None if kind is None else "memory" if held else "disk"
        own_images = round(sum(images.values()) * (unit.dataset.images_per_study or 1))
        yield UnitCost(features, own, own_images, known, disk, place)


def _to_unpack(dataset: DatasetCard, data: Path) -> int:
    """Return the bytes that a dataset is unpacked to; 0 of one that cannot be read."""
    try:
        return sources.unpacked_bytes(dataset, data)
    except DataError:  # blocks its units
        return 0


def _images_a_row(unit: Unit, adaptation: Adaptation) -> float:
    """Return of how many images a row of frozen features is."""
    volumes = adaptation.frozen_kind == "embed_volumes"
    return (volumes and unit.dataset.images_per_study) or 1


def _splits(unit: Unit) -> Iterator[tuple[Unit, str, int]]:
    """Yield all images that a unit's backbone sees: of whose dataset, their split, their number."""
    each = unit.dataset.images_per_study or 1
    yield from ((unit, split, round(count * each)) for split, count in unit.images.items())
    yield from _further(unit)


def _further(unit: Unit) -> Iterator[tuple[Unit, str, int]]:
    """Yield those that it is tested on beside its test split, and copies of low quality."""
    for view in unit.views:
        owner = unit.on(view) if isinstance(view, External) else unit
        name = "test" if isinstance(view, External) else f"test@{view.name}"
        yield owner, name, owner.images.get("test", 0)
    if unit.mix is not None and isinstance(unit.mix.low, Corrupted):
        names = ("train", "val", "test") if unit.mix.train else ("test",)
        low = unit.mix.low.name
        yield from ((unit, f"{name}@{low}", unit.images.get(name, 0)) for name in names)


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
    if unit.recipe.get("budget") != "steps":  # which are as many as of all labels
        train = unit.labelled or 0
    each = unit.dataset.images_per_study or 1
    train, val = round(train * each), round(val * each)
    size, precision = unit.recipe["input_size"], unit.recipe["precision"]
    epoch = 0.0
    if adaptation.frozen_kind is None:
        flops = forward_flops(unit.backbone, size)
        trained = adaptation.passes or TRAINED * adaptation.through_backbone
        epoch += train * trained * flops / rates.trained(precision)
        epoch += (val + train * (not trained)) * flops / rates.frozen(precision)
    if adaptation.head_flops is not None:
        flops = adaptation.head_flops(unit)
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
    flops = adaptation.head_flops(unit) / FORWARD_WORDS
    each = words * flops / rates.frozen(unit.recipe["precision"])
    return len(unit.repetitions) * images.get("test", 0) * each
