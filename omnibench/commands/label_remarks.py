"""What `plan` says of label budgets: what they ask for beyond what there is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from omnibench.cards import DatasetCard
from omnibench.cell import Unit
from omnibench.label_budget import WHOLE, LabelBudget

if TYPE_CHECKING:
    from omnibench.data.survey import Survey


def label_remarks(units: Iterable[Unit], surveys: "Mapping[str, Survey]") -> list[str]:
    """Return a sentence for each budget of more images than a class has, and for each batch of
    more images than a budget leaves.

    Args:
        surveys: of local datasets by id; of others the images of a class are not known.
    """
    cut = [unit for unit in units if unit.labels != WHOLE]
    return list(dict.fromkeys([*_scarce(cut, surveys), *_batches(cut)]))


def _scarce(units: Iterable[Unit], surveys: "Mapping[str, Survey]") -> Iterator[str]:
    for unit in units:
        shots, survey = LabelBudget.from_text(unit.labels).shots, surveys.get(unit.dataset.id)
        if shots is None:
            continue
        counts = survey.facts["training_classes"] if survey is not None else {}
        counts = _left_by_limit(counts, unit)
        fewer = [f"'{name}' has {n:,}" for name, n in counts.items() if n < shots]
        whole, nouns = unit.images.get("train"), _nouns(unit.dataset)
        exclusive = unit.dataset.labels != "multi-label"
        if fewer:
            yield (
                f"{unit.dataset.id}, {unit.labels}: of training {nouns} {', '.join(fewer)}, so all "
                "of these are taken"
            )
        elif not counts and exclusive and whole and shots * len(unit.dataset.classes) > whole:
            yield (
                f"{unit.dataset.id}, {unit.labels}: there are {whole:,} training {nouns} of "
                f"{len(unit.dataset.classes)} classes, so of a class that has fewer all are taken"
            )


def _left_by_limit(counts: Mapping[str, int], unit: Unit) -> Mapping[str, int]:
    """Return how many training cases of each class the recipe's limit leaves.

    {} where numbers alone do not tell that, of several labels a case.
    """
    limit = unit.recipe.get("limit")
    if limit is None or sum(counts.values()) <= limit:
        return counts
    if unit.dataset.labels == "multi-label":
        return {}
    import numpy as np

    from omnibench.data.subset import stratified

    labels = np.repeat(np.arange(len(counts)), list(counts.values()))
    left = np.bincount(labels[stratified(labels, limit)], minlength=len(counts))
    return dict(zip(counts, left.tolist(), strict=True))


def _nouns(dataset: DatasetCard) -> str:
    return "studies" if dataset.images_per_study else "images"


def _batches(units: Iterable[Unit]) -> Iterator[str]:
    budgets: dict[tuple[str, str, int, str], dict[str, int]] = {}
    for unit in units:
        batch, images = unit.recipe.get("batch"), unit.labelled
        if batch is not None and images is not None and batch > images:
            place = (unit.task, unit.dataset.id, batch, _nouns(unit.dataset))
            budgets.setdefault(place, {})[unit.labels] = images
    for (task, dataset, batch, nouns), left in budgets.items():
        those = ", ".join(f"{labels} (about {count:,})" for labels, count in left.items())
        yield (
            f"{task} on {dataset}: recipe.batch {batch} is above the training {nouns} of {those}, "
            "so that a batch holds all of them"
        )
