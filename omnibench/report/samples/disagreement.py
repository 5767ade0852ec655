"""The test cases of a dataset on which models disagree most, and what each answered."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.errors import OmnibenchError
from omnibench.files import read_regular
from omnibench.report.study import Study
from omnibench.samples import CaseAnswers
from omnibench.states import CellState

MOST_CASES = 24  # a page


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The models of one task, dataset and adaptation, and the cases to show.

    Attributes:
        unit: of the first model, which has the dataset and how it was cut.
        answers: backbone -> what it answered in its first finished repetition.
        repetitions: backbone -> which repetition that is.
        cases: indices in the test split, the most disagreeing first.
        count: of all test cases.
        measure: what the scores are.
        records: what tells the records that it is made of from any others.
    """

    unit: Unit
    answers: Mapping[str, CaseAnswers]
    repetitions: Mapping[str, int]
    cases: list[int]
    count: int
    measure: str
    records: list[str] = field(default_factory=list)

    @property
    def stem(self) -> str:
        """Return the name of its page, without ending."""
        return f"{self.unit.task}-{self.unit.dataset.id}-{self.unit.short}"


def disagreements(study: Study) -> Iterator[Disagreement]:
    """Yield each task, dataset and adaptation whose task shows its samples."""
    first: dict[tuple[str, str, str], dict[str, tuple[CellState, Mapping[str, Any]]]] = {}
    for state, record in study.finished:
        unit = state.cell.unit
        models = first.setdefault((unit.task, unit.dataset.id, unit.short), {})
        before = models.get(unit.backbone.id)
        if before is None or state.cell.repetition < before[0].cell.repetition:
            models[unit.backbone.id] = (state, record)
    for models in first.values():
        disagreement = _disagreement(study, models)
        if disagreement is not None:
            yield disagreement


def _disagreement(
    study: Study, models: Mapping[str, tuple[CellState, Mapping[str, Any]]]
) -> Disagreement | None:
    answers: dict[str, CaseAnswers] = {}
    chosen: list[CellState] = []
    records: list[Mapping[str, Any]] = []
    kind: tuple[int, str] | None = None
    for backbone, (state, record) in models.items():
        some = _answers(study, state, record)
        # Models that were tested on other cases, or measured otherwise, are no rivals here.
        if some is None or (kind and kind != (len(some.scores), some.measure)):
            continue
        kind = (len(some.scores), some.measure)
        answers[backbone] = some
        chosen.append(state)
        records.append(record)
    if kind is None or not kind[0]:
        return None
    cases = most_disagreeing([some.scores for some in answers.values()])
    return Disagreement(
        chosen[0].cell.unit,
        answers,
        {state.cell.unit.backbone.id: state.cell.repetition for state in chosen},
        cases,
        *kind,
        [f"{record['digest']} {record['finished']}" for record in records],
    )


def _answers(study: Study, state: CellState, record: Mapping[str, Any]) -> CaseAnswers | None:
    unit, path = state.cell.unit, study.store.path(state.cell)

    def beside(ending: str) -> bytes | None:
        return _read(path.with_suffix(f".{ending}")) if ending in record["files"] else None

    try:
        arrays = study.predictions(record["digest"]).arrays
        return tasks.get(unit.task).case_answers(arrays, unit.dataset, beside)
    except (OmnibenchError, KeyError, ValueError):
        return None  # what cannot be read was named by the comparisons already


def _read(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() else read_regular(path)
    except (OSError, OmnibenchError):
        return None


def most_disagreeing(scores: list[NDArray[Any]], most: int = MOST_CASES) -> list[int]:
    """Return the cases whose best and worst score lie farthest apart, equals by their lowest.

    Of one model it is the cases that it does worst. Cases without any score come last.

    Args:
        scores: [N] of each model; NaN where undefined.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a case without any score
        stacked = np.stack([np.asarray(values, np.float64) for values in scores])
        worst, best = np.nanmin(stacked, axis=0), np.nanmax(stacked, axis=0)
    apart = np.round(best - worst, 9)
    order = np.lexsort(
        (np.arange(len(worst)), np.nan_to_num(worst, nan=np.inf), -np.nan_to_num(apart, nan=-1.0))
    )
    return [int(case) for case in order[:most]]
