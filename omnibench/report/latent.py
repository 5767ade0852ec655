"""The latent space of a suite: frozen test features of several backbones, of the same images."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnibench import weights
from omnibench.cards import DatasetCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit, digest_of
from omnibench.context import Context
from omnibench.errors import StoreError, WeightsError
from omnibench.feature_rows import FeatureRows, as_float32
from omnibench.features import FeatureStore, feature_key
from omnibench.recipe import CARD
from omnibench.record_files import read_predictions
from omnibench.states import CellState
from omnibench.store import RecordStore

# Below 4096 points UMAP takes exact neighbours, and a distance matrix has 64 MB.
IMAGES, IMAGES_OF_A_DATASET = 4000, 2000


class Setting(NamedTuple):
    """The fields of a recipe that decide features."""

    input_size: int
    normalization: str
    precision: str
    limit: int | None


class Images(NamedTuple):
    """A dataset's test images under one setting."""

    setting: Setting
    dataset: str


Place = tuple[Images, str]  # the backbone


@dataclass(frozen=True)
class Space:
    """Features of the same N images in the same order, one array a backbone.

    Attributes:
        features: backbone -> [N, D]; none where nothing can be shown.
        remarks: sentences on what was left out, and why.
        labels: [N] index into `classes`, each "dataset: class".
        sources: [N] index into the datasets of `images`.
        images: dataset -> how many of its test images are among the N, and how many it has.
    """

    features: Mapping[str, NDArray[np.float32]]
    remarks: tuple[str, ...]
    setting: Setting | None = None
    labels: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    sources: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    classes: tuple[str, ...] = ()
    images: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """Return in words what of the recipe decides the features."""
        assert self.setting is not None
        size, normalization, precision, limit = self.setting
        words = f"{size} pixels, normalisation {normalization}, precision {precision}"
        if limit is None:
            return words
        return f"{words}, at most {limit} images of a split, one fixed random draw by label"


def gather(
    suite: str, states: Iterable[CellState], store: RecordStore, context: Context
) -> Space | None:
    """Return the features of the finished units that keep them and whose images have classes.

    They are those of as many backbones as share a dataset under one recipe, and of every dataset
    that these share; of many images a random choice, which the dataset's name alone decides.

    Args:
        suite: as the command names it, to say how absent features are made again.

    Returns:
        None where the suite has no such unit.

    Raises:
        StoreError: predictions or features cannot be read.
    """
    units: dict[Place, Unit] = {}
    labels: dict[Images, NDArray[Any]] = {}
    for state in states:
        if state.record is None:
            continue
        precision = state.record["environment"].get("precision", "fp32")  # that made the features
        unit = state.cell.unit.at_precision(precision)
        if state.state == "done" and _keeps_embeddings(unit):
            images = _images(unit)
            if images not in labels:
                arrays = read_predictions(store.path(state.cell))
                labels[images] = arrays.get("test_labels", np.empty(0))
            if labels[images].dtype.kind in "iub":  # a class of each image colours its point
                units.setdefault((images, unit.backbone.id), unit)
    if not units:
        return None
    several = {images.dataset for images, _ in units if labels[images].ndim > 1}
    opened = {
        (images, backbone): _open(unit, len(labels[images]), context)
        for (images, backbone), unit in units.items()
        if images.dataset not in several
    }
    available = {place: rows for place, rows in opened.items() if rows is not None}
    shown = _block(available)
    absent = [units[place] for place, rows in opened.items() if rows is None]
    apart = [units[place] for place in available if place not in shown]
    remarks = {
        "An image may show several classes, so not shown": ", ".join(sorted(several)),
        "Not shown, as not every backbone shown has the same": _listed(apart),
        "Features are no longer in the store": _listed(absent),
        "They are made again by": _way_back(suite, absent) if absent else "",
    }
    cards = {images: unit.dataset for (images, _), unit in units.items()}
    sentences = tuple(f"{why}: {what}." for why, what in remarks.items() if what)
    return _space({place: available[place] for place in shown}, labels, cards, sentences)


def _keeps_embeddings(unit: Unit) -> bool:
    """Return whether a unit keeps embeddings, pooled as its backbone's card says."""
    if unit.recipe.get("pool", CARD) != CARD:
        return False
    return tasks.get(unit.task).adaptations[unit.adaptation].frozen_kind == "embed"


def _images(unit: Unit) -> Images:
    return Images(Setting(*(unit.recipe[name] for name in Setting._fields)), unit.dataset.id)


def _open(unit: Unit, total: int, context: Context) -> FeatureRows | None:
    try:
        file = weights.file_source(unit.backbone, context.data)
        rows = FeatureStore(context.features).open(feature_key(unit, "test", "embed", **file))
    except (StoreError, WeightsError):  # damaged, in a folder that cannot be written
        return None
    return rows if rows is not None and rows.shape[0] == total else None


def _block(places: Iterable[Place]) -> list[Place]:
    """Return the places of most backbones with the same images, then of most datasets."""
    holders: dict[Images, dict[str, None]] = {}
    for images, backbone in places:
        holders.setdefault(images, {})[backbone] = None
    blocks = [
        [
            (other, backbone)
            for other, others in holders.items()
            if other.setting == images.setting and others.keys() >= backbones.keys()
            for backbone in backbones
        ]
        for images, backbones in holders.items()
    ]
    return max(blocks, key=lambda block: (len({b for _, b in block}), len(block)), default=[])


def _listed(units: Iterable[Unit]) -> str:
    datasets: dict[str, list[str]] = {}
    for unit in units:
        where = f"{unit.dataset.id} ({unit.recipe['input_size']} pixels)"
        datasets.setdefault(unit.backbone.id, []).append(where)
    return "; ".join(f"{backbone} on {', '.join(names)}" for backbone, names in datasets.items())


def _way_back(suite: str, absent: list[Unit]) -> str:
    """Return the command whose by-product features are; the cells' numbers stay the same."""
    quickest = min(absent, key=lambda unit: len(unit.repetitions))
    datasets = ",".join(dict.fromkeys(unit.dataset.id for unit in absent))
    backbones = ",".join(dict.fromkeys(unit.backbone.id for unit in absent))
    return (
        f"bench.py run {suite} --tasks {quickest.task} --adaptations {quickest.short} "
        f"--datasets {datasets} --backbones {backbones} --force"
    )


def _space(
    shown: Mapping[Place, FeatureRows],
    labels: Mapping[Images, NDArray[Any]],
    cards: Mapping[Images, DatasetCard],
    remarks: tuple[str, ...],
) -> Space:
    if not shown:
        return Space({}, remarks)
    every = list(dict.fromkeys(images for images, _ in shown))
    classes: list[str] = []
    indices: list[NDArray[np.intp]] = []
    chosen: dict[Images, NDArray[np.int64]] = {}
    for images in every:
        rows = _choice(images.dataset, len(labels[images]), IMAGES // len(every))
        values, index = np.unique(labels[images][rows], return_inverse=True)
        indices.append(index + len(classes))
        classes += [_class_name(cards[images], int(value)) for value in values]
        chosen[images] = rows
    return Space(
        {
            backbone: np.concatenate(
                [as_float32(shown[images, backbone].read_rows(chosen[images])) for images in every]
            )
            for backbone in dict.fromkeys(backbone for _, backbone in shown)
        },
        remarks,
        every[0].setting,
        np.concatenate(indices),
        np.repeat(np.arange(len(every)), [len(rows) for rows in chosen.values()]),
        tuple(classes),
        {images.dataset: (len(chosen[images]), len(labels[images])) for images in every},
    )


def _choice(dataset: str, total: int, share: int) -> NDArray[np.int64]:
    """Return indices in order: all of them, or a choice that depends on nothing but the dataset."""
    limit = min(share, IMAGES_OF_A_DATASET)
    if total <= limit:
        return np.arange(total)
    rng = np.random.default_rng(int(digest_of(["latent", dataset, total])[:16], 16))
    return np.sort(rng.choice(total, limit, replace=False))


def _class_name(card: DatasetCard, value: int) -> str:
    name = card.classes[value] if value < len(card.classes) else str(value)
    return f"{card.id}: {name}"
