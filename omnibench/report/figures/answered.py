"""What classifiers answered for their test cases, pooled over repetitions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.report.stored_units import MOST_DATASETS, drawn
from omnibench.report.study import Study
from omnibench.report.table import Facets
from omnibench.stats.cases import Logits, logits_in
from omnibench.stats.rates import BINS, confidence_bins, confusion, f1_scores


@dataclass(frozen=True, eq=False)
class Answers:
    """Of one unit.

    Attributes:
        counts: [C, C] cases, row the true class, column the answer; None of a multi-label task.
        f1: [C] mean over repetitions, NaN of a class that occurs in neither truth nor answer.
        confidence, hits, sizes: [BINS] sums over cases; None of a multi-label task.
    """

    backbone: str
    adaptation: str
    repetitions: int
    f1: NDArray[np.float64]
    counts: NDArray[np.int64] | None = None
    confidence: NDArray[np.float64] | None = None
    hits: NDArray[np.float64] | None = None
    sizes: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """Return backbone and adaptation."""
        return f"{self.backbone} · {self.adaptation}"


@dataclass(frozen=True, eq=False)
class Classified:
    """All units of one task on one dataset that stored logits.

    Attributes:
        left: how many further units are not among `units`.
        undrawn: how many further datasets of the task are not drawn.
    """

    task: str
    dataset: str
    classes: tuple[str, ...]
    units: Sequence[Answers]
    left: int
    undrawn: int = 0

    @property
    def omitted(self) -> str:
        """Return what a caption must say of what is not drawn; "" where all is."""
        units = f" {self.left} further units are left out." if self.left else ""
        return units + (f" {self.undrawn} further datasets are not drawn." if self.undrawn else "")

    @property
    def facets(self) -> Facets:
        """Return what its figures are of."""
        return {"task": (self.task,), "dataset": (self.dataset,)}


def classified(study: Study) -> Iterator[Classified]:
    """Yield what classifiers answered, on at most `MOST_DATASETS` datasets, and whose is drawn."""
    places: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = {}
    cards = {}
    for state, record in study.finished:
        unit = state.cell.unit
        units = places.setdefault((unit.task, unit.dataset.id), {})
        units.setdefault((unit.backbone.id, unit.short), []).append(record["digest"])
        cards[unit.dataset.id] = unit.dataset
    count_drawn = 0
    for (task, dataset), units in places.items():
        answered: list[Answers] = []
        if count_drawn == MOST_DATASETS:
            break
        for backbone, adaptation in drawn(units):
            logits = _logits(study, units[backbone, adaptation])
            if logits:
                answered.append(_answers(backbone, adaptation, logits))
            elif not answered:
                break  # a task without logits has none in its other units either
        if answered:
            count_drawn += 1
            count = len(answered[0].f1)
            names = cards[dataset].classes
            classes = names if len(names) == count else tuple(map(str, range(count)))
            same = [unit for unit in answered if len(unit.f1) == count]
            undrawn = max(0, sum(t == task for t, _ in places) - MOST_DATASETS)
            yield Classified(task, dataset, classes, same, len(units) - len(same), undrawn)


def _logits(study: Study, digests: Sequence[str]) -> list[Logits]:
    repetitions = []
    for digest in digests:
        try:
            arrays = study.predictions(digest).arrays
            cases = len(arrays.get("test_logits", ()))
            logits = logits_in(arrays, cases, "here") if cases else None
        except (OmnibenchError, KeyError, ValueError):
            continue  # what cannot be read was named by the comparisons already
        if logits is not None:
            repetitions.append(logits)
    return repetitions


def _answers(backbone: str, adaptation: str, repetitions: Sequence[Logits]) -> Answers:
    f1 = np.mean([_f1(logits) for logits in repetitions], axis=0)
    if repetitions[0].multi_label:
        return Answers(backbone, adaptation, len(repetitions), f1)
    classes = repetitions[0].values.shape[2]
    counts = np.zeros((classes, classes), np.int64)
    sums = np.zeros((3, BINS))
    for logits in repetitions:
        answer = logits.values[0].argmax(axis=1)
        counts += confusion(logits.labels, answer, classes)
        confidence = logits.probabilities[0].max(axis=1)
        index = confidence_bins(confidence)
        weights = (confidence, (answer == logits.labels).astype(np.float64), np.ones(len(index)))
        sums += [np.bincount(index, weight, minlength=BINS) for weight in weights]
    return Answers(backbone, adaptation, len(repetitions), f1, counts, *sums)


def _f1(logits: Logits) -> NDArray[np.float64]:
    truth, decided = logits.truth, logits.decisions[0]
    sizes = truth.sum(axis=0) + decided.sum(axis=0)
    return np.where(sizes > 0, f1_scores((truth & decided).sum(axis=0), sizes), np.nan)
