"""What stored predictions and features tell of a dataset: labels in doubt, and near-duplicates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset, Labels, Split
from omnibench.data.overlaps import Pair, Splits, hashed_cases, identical_cases, shared_groups
from omnibench.feature_rows import as_float32
from omnibench.features import FeatureKey, FeatureStore, entries
from omnibench.record import read_record
from omnibench.record_files import complaint_about, read_predictions
from omnibench.stats.confident import confident_labels, has_opinion, mean_probabilities
from omnibench.stats.near_duplicates import Floats, far_out, nearest
from omnibench.store import RecordStore

JUDGED = ("val", "test")  # splits whose predictions are out of sample
FIELDS = {field.name for field in fields(FeatureKey)}
Setting = tuple[Any, ...]


class Doubt(NamedTuple):
    """A label that every backbone contradicts with confidence.

    Attributes:
        label, instead: the class as given, and the one that all of them are confident of.
        probability: that they give the label, on average.
    """

    split: str
    image: int
    label: str
    instead: str
    probability: float


class Duplicate(NamedTuple):
    """An image or a study of one split that is also in a split before, or nearly so.

    Attributes:
        images: their index in the split before, and in its own.
        cosine: of their features, the mean of the backbones that call it a near-duplicate; None
            where they are the same pixel by pixel.
        labels_differ: whether they have other labels; None where they have none.
    """

    splits: Splits
    images: Pair
    cosine: float | None
    labels_differ: bool | None


@dataclass(frozen=True)
class DatasetAudit:
    """What looks wrong with a dataset, by images, or by studies where labels are theirs.

    No patient is named.

    Attributes:
        images: how many of them a split has.
        nouns: what one of them is called, and several.
        judges: the backbones whose predictions were asked of each split.
        without_opinion: those left out of a split, being no better than guessing there.
        sighted: the backbones whose features were compared.
        has_groups: whether patients are known.
    """

    images: Mapping[str, int]
    nouns: tuple[str, str]
    judges: Mapping[str, tuple[str, ...]]
    without_opinion: Mapping[str, tuple[str, ...]]
    sighted: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    identical: tuple[Duplicate, ...]
    near: tuple[Duplicate, ...]
    has_groups: bool
    groups: Mapping[Splits, list[Pair]]


def audit_dataset(
    dataset: Dataset, source: str, records: RecordStore, features: FeatureStore
) -> DatasetAudit:
    """Ask everything that is stored of a dataset's content.

    Args:
        source: its source digest: what was made of other content is left alone.
    """
    opinions = {split: _opinions(dataset, split, source, records) for split in JUDGED}
    judges, without = {}, {}
    for split, models in opinions.items():
        labels = _labels(dataset, split)
        able = {n: p for n, p in models.items() if labels is not None and has_opinion(labels, p)}
        judges[split] = tuple(able)
        without[split] = tuple(name for name in models if name not in able)
        opinions[split] = able
    identical = tuple(
        Duplicate(splits, pair, None, _labels_differ(dataset, splits, pair))
        for splits, pairs in identical_cases(hashed_cases(dataset)).items()
        for pair in pairs
    )
    spaces = _spaces(dataset, source, features)
    known = {(pair.splits, pair.images) for pair in identical}
    near = [pair for pair in _near(dataset, spaces) if (pair.splits, pair.images) not in known]
    return DatasetAudit(
        {name: split.cases for name, split in dataset.splits.items()},
        dataset.splits["train"].nouns,
        judges,
        without,
        tuple(spaces),
        tuple(doubt for split in JUDGED for doubt in _doubts(dataset, split, opinions[split])),
        identical,
        tuple(sorted(near, key=lambda pair: -(pair.cosine or 0))),
        any(split.groups is not None for split in dataset.splits.values()),
        shared_groups(dataset),
    )


def _labels(dataset: Dataset, split: str) -> NDArray[np.int64] | None:
    """Return one class an image or study; None where these have several or none."""
    if split not in dataset.splits:
        return None
    if "labels" not in {**dataset.splits[split].targets, **dataset.splits[split].by_study}:
        return None
    values = dataset.target(split, "labels", Labels).values
    return values if values.ndim == 1 else None


def _opinions(
    dataset: Dataset, split: str, source: str, records: RecordStore
) -> dict[str, NDArray[np.float64]]:
    """Return backbone -> the mean of the probabilities [N, C] of all its records."""
    labels = _labels(dataset, split)
    if labels is None:
        return {}
    logits: dict[str, list[NDArray[np.floating]]] = {}
    for backbone, arrays in _predictions(dataset.card.id, source, records):
        given, stored = arrays.get(f"{split}_logits"), arrays.get(f"{split}_labels")
        if given is None or stored is None or not np.array_equal(stored, labels):
            continue
        if given.shape == (len(labels), len(dataset.card.classes)):
            logits.setdefault(backbone, []).append(given)
    return {name: mean_probabilities(parts) for name, parts in sorted(logits.items())}


def _predictions(
    dataset: str, source: str, records: RecordStore
) -> Iterator[tuple[str, Mapping[str, NDArray[Any]]]]:
    """Yield backbone and predictions of each whole record that all training images made."""
    for path in sorted(records.root.glob(f"*/{dataset}/*/*/rep-*.json")):
        record = read_record(path)
        if record is None or record["status"] != "done":
            continue
        spec = record["spec"]
        partial = spec["recipe"].get("limit") is not None or spec.get("labels", "100%") != "100%"
        if partial or record["digests"].get("source.dataset") != source:
            continue
        if not complaint_about(path, record):
            yield spec["backbone"], read_predictions(path)


def _doubts(
    dataset: Dataset, split: str, opinions: Mapping[str, NDArray[np.float64]]
) -> Iterator[Doubt]:
    labels = _labels(dataset, split)
    if labels is None or not opinions:
        return
    confident = np.stack([confident_labels(labels, p) for p in opinions.values()])
    agreed = (confident == confident[0]).all(axis=0) & (confident[0] >= 0)
    mean = np.mean(list(opinions.values()), axis=0)
    names = dataset.card.classes
    rows = np.flatnonzero(agreed & (confident[0] != labels))
    for row in rows[np.argsort(mean[rows, labels[rows]], kind="stable")].tolist():
        label, instead = int(labels[row]), int(confident[0, row])
        yield Doubt(split, row, names[label], names[instead], float(mean[row, label]))


def _spaces(
    dataset: Dataset, source: str, features: FeatureStore
) -> dict[str, Mapping[str, Floats]]:
    """Return backbone -> its stored embeddings of two splits or more, at its largest input size.

    Those with random weights are left out where there are others: they see less.
    """
    settings: dict[str, dict[Setting, dict[str, FeatureKey]]] = {}
    for entry in entries(features.root):
        if not entry["complete"] or entry["key"].keys() != FIELDS:
            continue  # unfinished, or of another version
        key = FeatureKey(**entry["key"])
        if key.kind != "embed" or key.limit is not None:
            continue
        if key.sources.get("dataset") == source and key.split in dataset.splits:
            setting = (
                key.input_size,
                key.normalization,
                key.precision,
                *sorted(key.sources.items()),
            )
            by_setting = settings.setdefault(key.names["backbone"], {})
            by_setting.setdefault(setting, {})[key.split] = key
    random = {
        name
        for name, by_setting in settings.items()
        if any(_is_random(key) for keys in by_setting.values() for key in keys.values())
    }
    spaces: dict[str, Mapping[str, Floats]] = {}
    for name in sorted(settings.keys() - random or random):
        keys = max(settings[name].items(), key=lambda item: (len(item[1]), item[0]))[1]
        opened = {split: features.open(key) for split, key in keys.items()}
        arrays = {split: as_float32(rows.array()) for split, rows in opened.items() if rows}
        whole = {n: a for n, a in arrays.items() if len(a) == len(dataset.splits[n])}
        if len(whole) > 1:
            spaces[name] = {n: _by_case(dataset.splits[n], rows) for n, rows in whole.items()}
    return spaces


def _by_case(split: Split, rows: Floats) -> Floats:
    """Return embeddings of cases: of a study the mean, since slices that show nothing are alike."""
    if not split.by_study:
        return rows
    sums = np.zeros((split.cases, rows.shape[1]), np.float64)
    np.add.at(sums, split.study_of_image, rows)
    return (sums / np.bincount(split.study_of_image)[:, None]).astype(np.float32)


def _is_random(key: FeatureKey) -> bool:
    """Whether features are those of drawn weights."""
    return "draw" in key.sources or key.sources["backbone"].startswith("random:")


def _near(dataset: Dataset, spaces: Mapping[str, Mapping[str, Floats]]) -> Iterator[Duplicate]:
    """Yield the pairs that more than half of the backbones call near-duplicates."""
    names = list(dataset.splits)
    for before, after in [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]:
        able = [space for space in spaces.values() if before in space and after in space]
        cosines: dict[Pair, list[float]] = {}
        for space in able:
            neighbours = nearest(space[after], space[before])
            for image in np.flatnonzero(far_out(neighbours.cosine)).tolist():
                pair = (int(neighbours.index[image]), image)
                cosines.setdefault(pair, []).append(float(neighbours.cosine[image]))
        for pair, values in sorted(cosines.items()):
            if 2 * len(values) > len(able):
                differ = _labels_differ(dataset, (before, after), pair)
                yield Duplicate((before, after), pair, float(np.mean(values)), differ)


def _labels_differ(dataset: Dataset, splits: Splits, pair: Pair) -> bool | None:
    """Return whether two cases have other labels; None where one has none of its own."""
    first, second = (_labels(dataset, split) for split in splits)
    if first is None or second is None:
        return None
    return bool(first[pair[0]] != second[pair[1]])
