"""What the units of a suite stored, dataset by dataset, read when it is looked at."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from omnibench.cards import DatasetCard
from omnibench.states import CellState
from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.result import RefusedError
from omnibench.stats.units import Score

if TYPE_CHECKING:
    from omnibench.report.study import Study

MOST_DATASETS, MOST_MODELS = 4, 12  # of figures

Model = tuple[str, str]  # backbone, adaptation
Models = Mapping[Model, Cases]
Finished = Iterable[tuple[CellState, Mapping[str, Any]]]  # done cells with their records


@dataclass(frozen=True, eq=False)
class StoredUnits:
    """What one task's models stored for one dataset.

    Attributes:
        models: repetition -> digest of its record, of each model.
        predictions: digest -> what that record left.
    """

    task: str
    dataset: DatasetCard
    models: Mapping[Model, Mapping[int, str]]
    predictions: Predictions

    def read(self, scores: Collection[Score] = ()) -> Iterator[tuple[Model, Cases | RefusedError]]:
        """Yield each model with what it predicted, or why that cannot be used.

        Args:
            scores: the metrics whose values of each case are wanted, where they have any.
        """
        for model, digests in self.models.items():
            try:
                yield model, read_cases(digests, self.predictions, scores)
            except RefusedError as reason:
                yield model, reason

    def names(self, count: int) -> tuple[str, ...]:
        """Return the names of so many classes, or their numbers where the card names others."""
        names = self.dataset.classes
        return names if len(names) == count else tuple(map(str, range(count)))


def stored_units(finished: Finished, predictions: Predictions) -> Iterator[StoredUnits]:
    """Yield each task and dataset with its finished models."""
    places: dict[tuple[str, str], dict[Model, dict[int, str]]] = {}
    cards = {}
    for state, record in finished:
        unit = state.cell.unit
        models = places.setdefault((unit.task, unit.dataset.id), {})
        repetitions = models.setdefault((unit.backbone.id, unit.short), {})
        repetitions[state.cell.repetition] = record["digest"]
        cards[unit.dataset.id] = unit.dataset
    for (task, dataset), models in places.items():
        yield StoredUnits(task, cards[dataset], models, predictions)


def with_logits(stored: Iterable[StoredUnits]) -> Iterator[StoredUnits]:
    """Yield those whose first readable record holds logits."""
    for units in stored:
        first = next((cases for _, cases in units.read() if isinstance(cases, Cases)), None)
        if first is not None and first.logits is not None:
            yield units


def drawn(models: Iterable[Model]) -> list[Model]:
    """Return the models that a figure shows: at most so many, whole adaptations first.

    Those of the adaptation that most backbones were run with come first, as they can be compared.
    """
    every = list(models)
    counts = Counter(adaptation for _, adaptation in every)
    ranks = {adaptation: k for k, (adaptation, _) in enumerate(counts.most_common())}
    chosen = sorted(every, key=lambda model: ranks[model[1]])[:MOST_MODELS]
    return [model for model in every if model in chosen]


def some_models(study: "Study") -> Iterator[tuple[StoredUnits, Models, str]]:
    """Yield each dataset to be drawn, its models, and what a caption says of those left out."""
    undrawn = max(0, len(study.logits) - MOST_DATASETS)
    for units in study.logits[:MOST_DATASETS]:
        chosen = replace(
            units, models={model: units.models[model] for model in drawn(units.models)}
        )
        models = {model: cases for model, cases in chosen.read() if isinstance(cases, Cases)}
        left = len(units.models) - len(models)
        omitted = f" {left} further units are left out." if left else ""
        if undrawn:
            omitted += f" {undrawn} further datasets are not drawn."
        yield units, models, omitted
