"""What `plan` says of label budgets: what they ask for beyond what there is."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

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
        counts = survey.facts["training_classes"] if survey is not None else {}
        fewer = [f"'{name}' has {n:,}" for name, n in counts.items() if n < (shots or 0)]
        if fewer:
            yield (
                f"{unit.dataset.id}, {unit.labels}: of training images {', '.join(fewer)}, so all "
                "of these are taken"
            )


def _batches(units: Iterable[Unit]) -> Iterator[str]:
    budgets: dict[tuple[str, str, int], dict[str, int]] = {}
    for unit in units:
        batch, images = unit.recipe.get("batch"), unit.labelled
        if batch is not None and images is not None and batch > images:
            place = (unit.task, unit.dataset.id, batch)
            budgets.setdefault(place, {})[unit.labels] = images
    for (task, dataset, batch), left in budgets.items():
        those = ", ".join(f"{labels} (about {count:,})" for labels, count in left.items())
        yield (
            f"{task} on {dataset}: recipe.batch {batch} is above the training images of {those}, "
            "so that a batch holds all of them"
        )
