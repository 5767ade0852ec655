"""What a reader takes a dataset's files for: classes and masks with their share, sizes, duplicates.

`plan` shows it in a line, `data verify` whole, and every record keeps it under its notes.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.cell import Unit
from omnibench.data import Dataset, Labels, Numbers, Split, sources
from omnibench.data.checksums import remembered
from omnibench.data.declaration import declaration_of
from omnibench.data.images import name_of
from omnibench.data.maps import checked_maps
from omnibench.data.masks import mask_shares
from omnibench.data.overlaps import hashed_cases, identical_cases, shared_groups
from omnibench.data.split import left_out_note
from omnibench.errors import DataError
from omnibench.views import External

RULES = "survey 9"  # raised when the facts or the warnings change
# Pixels that `plan` decodes of one dataset, once: seconds. Beyond them it looks at headers and
# labels alone, and `data verify` at the pixels.
BUDGET = 500_000_000
NAMED = 3  # examples in a warning

_listed: dict[tuple[str, str | None, str], dict[str, int]] = {}


@dataclass(frozen=True)
class Survey:
    """What there is to say of a dataset.

    Attributes:
        facts: plain values: `images` a split, `studies` a split where labels are theirs, `views` of
            studies with the number of those that have them, `kind`, `classes` and `mask_classes`
            with their share, `training_classes` with their number of training cases,
            `training_masks` with that of training images, `untrained` and `untrained_masks` (those
            that no training case shows), `undefined` (the splits in which a class's AUC is),
            `sizes`, `left_out`, `duplicates`, `shared_groups`, `columns` (the names of what else is
            known of each image), `numbers` (targets of this kind, with the shape of one), `visits`
            (the fewest images that a study of a split has, 0 where their study or place is
            unknown), `pixels` (whether they were looked at).
        warnings: a sentence each.
        left_out: those of the warnings that name files which are left out.
    """

    facts: Mapping[str, Any]
    warnings: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def notes(self) -> dict[str, Any]:
        """Return what records keep: no names of studies, which may be called after patients."""
        warnings = [warning for warning in self.warnings if warning not in self.left_out]
        note = left_out_note(len(self.left_out))
        return {**self.facts, "warnings": [*warnings, *filter(None, [note])]}

    @property
    def line(self) -> str:
        """Return the facts in one line."""
        facts = self.facts
        parts = [_counts(facts["studies"] or facts["images"])]
        if facts["studies"]:
            parts[0] += f" studies of {_counts(facts['images'])} slices"
        if len(facts["views"]) > 1:
            parts.append(f"studies with views: {_counts(facts['views'])}")
        if facts["classes"]:
            parts.append(f"{facts['kind']} labels: {_shares(facts['classes'])}")
        if facts["mask_classes"]:
            parts.append(f"masks: {_shares(facts['mask_classes'])}")
        smallest, largest = (" x ".join(map(str, size)) for size in facts["sizes"])
        parts.append(f"{smallest if smallest == largest else f'{smallest} to {largest}'} px")
        if facts["columns"]:
            parts.append(f"columns: {', '.join(facts['columns'])}")
        if not facts["pixels"]:
            parts.append("pixels not looked at (`data verify` does)")
        return "; ".join(parts)


def survey(card: DatasetCard, data_dir: Path, digest: str, whole: bool = False) -> Survey:
    """Look a dataset over, or recall what was seen of the same content.

    Args:
        digest: its source digest.
        whole: look at the pixels however many there are.

    Raises:
        DataError: what whoever reads it would meet; or a warning, where `strict` is declared.
    """
    question = f"{RULES} of {digest}"
    seen = remembered(data_dir, f"{question}, whole {whole}", lambda: _look(card, data_dir, whole))
    others = _left_out_of(card, digest)
    warnings = [*_left_out(others), *seen["warnings"]]
    if warnings and declaration_of(card).strict:
        raise DataError(
            f"{card.id} is declared strict, and {'; '.join(warnings)}: correct this, or leave "
            "`strict` out"
        )
    # Which columns are declared decides no number, so the digest does not tell it.
    columns = sorted({*seen["facts"]["columns"], *declaration_of(card).columns})
    facts = {**seen["facts"], "left_out": others, "columns": columns}
    return Survey(facts, tuple(warnings), tuple(seen["left_out"]))


def surveys(units: Iterable[Unit], data_dir: Path) -> dict[str, Survey]:
    """Return the survey of each local dataset that can be read, by its id; of tested ones too."""
    local: dict[str, Unit] = {}
    for unit in units:
        tested = [unit.on(view) for view in unit.views if isinstance(view, External)]
        local |= {own.dataset.id: own for own in (unit, *tested) if own.dataset.path is not None}
    results: dict[str, Survey] = {}
    for name, unit in local.items():
        if unit.dataset.tasks:
            with contextlib.suppress(DataError):  # what is wrong blocks its cells
                results[name] = survey(unit.dataset, data_dir, unit.sources["dataset"])
    return results


def _left_out_of(card: DatasetCard, digest: str) -> dict[str, int]:
    """Return what the reader leaves out of a folder, listed once a process for the same content."""
    key = (card.reader, card.path, digest)
    if key not in _listed:
        _listed[key] = sources.left_out(card)
    return _listed[key]


def _look(card: DatasetCard, data_dir: Path, whole: bool) -> dict[str, Any]:
    is_pool = "val" not in card.splits  # which is read image by image
    # A large archive would be unpacked, which is for `run`.
    is_large = not (whole or is_pool) and sources.unpacked_bytes(card, data_dir) > BUDGET
    reading = sources.outline if is_large else sources.load
    dataset = None if is_pool else reading(card, data_dir)
    if dataset is None:
        warnings = [card.note] if card.images_per_study and card.note else []
        return {"facts": _facts_of_card(card), "warnings": warnings, "left_out": []}
    pixels = sum(math.prod(split.images.shape[:3]) for split in dataset.splits.values())
    looks = whole or (pixels <= BUDGET and not is_large)
    facts = {
        **_facts_of_card(dataset.card),
        "images": {name: len(split) for name, split in dataset.splits.items()},
        "studies": {name: part.cases for name, part in dataset.splits.items() if part.by_study},
        "views": _studies_with(dataset),
        "classes": _class_shares(dataset),
        "training_classes": _training_classes(dataset),
        "untrained": _untrained(dataset),
        "columns": sorted(_columns(dataset) - set(declaration_of(card).columns)),
        "numbers": _numbers(dataset.splits["train"]),
        "visits": {name: _visits(split) for name, split in dataset.splits.items()},
        "pixels": looks,
    }
    warnings = [*dataset.left_out, *_undefined(dataset, facts), *_shared_groups(dataset, facts)]
    if looks:
        if any("masks" in split.targets for split in dataset.splits.values()):
            facts["mask_classes"], trained = mask_shares(dataset)
            facts["training_masks"] = trained
            facts["untrained_masks"] = [name for name, count in trained.items() if not count]
        if any("maps" in split.targets for split in dataset.splits.values()):
            checked_maps(dataset)
        warnings = [*_duplicates(dataset, facts), *warnings]
    return {"facts": facts, "warnings": warnings, "left_out": list(dataset.left_out)}


def _facts_of_card(card: DatasetCard) -> dict[str, Any]:
    side = card.resolution
    return {
        "images": dict(card.splits),
        "studies": {},
        "views": {},
        "kind": card.labels,
        "classes": {},
        "training_classes": {},
        "mask_classes": {},
        "training_masks": {},
        "untrained": [],
        "untrained_masks": [],
        "undefined": [],
        "columns": [],
        "numbers": {},
        "visits": {},
        "sizes": [[side, side], [side, side]] if side else [["?"], ["?"]],
        "duplicates": 0,
        "shared_groups": 0,
        "pixels": False,
    }


def _labels(split: Split) -> NDArray[np.int64] | None:
    """Return the labels of a split's images or studies, where it has some."""
    known = "labels" in split.targets or "labels" in split.by_study
    return split.target("labels", Labels).values if known else None


def _class_shares(dataset: Dataset) -> dict[str, float]:
    """Return class -> its share of the cases of all splits."""
    every = [_labels(split) for split in dataset.splits.values()]
    labels = [values for values in every if values is not None]
    if not labels:
        return {}
    values = np.concatenate(labels)
    if values.ndim == 1:
        shares = np.bincount(values, minlength=len(dataset.card.classes)) / len(values)
    else:
        shares = values.mean(axis=0)
    return {name: float(share) for name, share in zip(dataset.card.classes, shares, strict=True)}


def _training_classes(dataset: Dataset) -> dict[str, int]:
    """Return class -> how many training cases show it."""
    labels, names = _labels(dataset.splits["train"]), dataset.card.classes
    if labels is None:
        return {}
    several = labels.ndim == 2
    counts = labels.sum(axis=0) if several else np.bincount(labels, minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))


def _studies_with(dataset: Dataset) -> dict[str, int]:
    """Return view -> how many studies have it, {} where cases are images or views have no names."""
    counts: Counter[str] = Counter()
    for split in dataset.splits.values():
        if split.by_study and split.view is not None:
            shown = {*zip(split.study_of_image.tolist(), split.view.tolist(), strict=True)}
            counts.update(view for _, view in shown)
    return dict(sorted(counts.items()))


def _columns(dataset: Dataset) -> set[str]:
    return {name for split in dataset.splits.values() for name in split.columns}


def _numbers(split: Split) -> dict[str, list[int]]:
    """Return the targets that are numbers, of images or of studies, with the shape of one."""
    targets = {**split.targets, **split.by_study}
    return {n: list(t.values.shape[1:]) for n, t in targets.items() if isinstance(t, Numbers)}


def _visits(split: Split) -> int:
    """Return the fewest images of a study; 0 where their study or their place is not known."""
    if split.study is None or split.place is None:
        return 0
    return int(np.bincount(split.study_of_image).min())


def _untrained(dataset: Dataset) -> list[str]:
    """Return the classes that no training case shows."""
    labels, names = _labels(dataset.splits["train"]), dataset.card.classes
    if labels is None:
        return []
    shown = set(np.nonzero(labels)[1].tolist() if labels.ndim == 2 else labels.tolist())
    return [name for index, name in enumerate(names) if index not in shown]


def _undefined(dataset: Dataset, facts: dict[str, Any]) -> Iterator[str]:
    """Yield a warning for each class whose AUC is undefined in a split; note the splits."""
    for name, split in dataset.splits.items():
        labels = _labels(split)
        if labels is None or name == "train":
            continue
        case, cases = split.nouns
        for index, label in enumerate(dataset.card.classes):
            shows = labels == index if labels.ndim == 1 else labels[:, index] == 1
            if not shows.any() or shows.all():
                facts["undefined"] = list(dict.fromkeys([*facts["undefined"], name]))
                what = f"no {case}" if not shows.any() else f"nothing but {cases}"
                yield f"{name} has {what} of the class '{label}', so that its AUC is undefined"


def _shared_groups(dataset: Dataset, facts: dict[str, Any]) -> Iterator[str]:
    """Yield a warning for each two splits that share patients, by cases: no patient is named."""
    for (first, second), pairs in shared_groups(dataset).items():
        facts["shared_groups"] += len(pairs)
        case, _ = dataset.splits[first].nouns
        examples = ", ".join(f"{case} {a} = {b}" for a, b in pairs[:NAMED])
        yield (
            f"in {first} and in {second}: {_count(len(pairs), 'group', 'groups')} "
            f"(patients), such as those of {examples}"
        )


def _duplicates(dataset: Dataset, facts: dict[str, Any]) -> Iterator[str]:
    """Yield a warning for each two splits that share cases, pixel by pixel; note the sizes."""
    hashed = list(hashed_cases(dataset))
    sides = list(zip(*{image.shape[:2] for image in hashed}, strict=True))
    facts["sizes"] = [[min(side) for side in sides], [max(side) for side in sides]]
    shared = identical_cases(hashed)
    facts["duplicates"] = sum(map(len, shared.values()))
    for (before, after), pairs in shared.items():
        first, second = dataset.splits[before], dataset.splits[after]
        examples = (f"{_name(first, a)} = {_name(second, b)}" for a, b in pairs[:NAMED])
        yield (
            f"in {before} and in {after}: {_count(len(pairs), *first.nouns)}, pixel by pixel, "
            f"such as {', '.join(examples)}"
        )


def _name(split: Split, case: int) -> str:
    return f"study {case}" if split.by_study else name_of(split.images, case)


def _left_out(others: Mapping[str, int]) -> Iterator[str]:
    if others:
        counts = ", ".join(f"{count} {end}" for end, count in sorted(others.items()))
        yield f"left out, being no image by name: {counts}"


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {split}" for split, number in numbers.items())


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"


def _shares(shares: Mapping[str, float]) -> str:
    shown = [f"{name} {100 * share:.3g} %" for name, share in shares.items()]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
