"""How many cases a task tests on a dataset, and what a guess scores there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibench.errors import OmnibenchError
from omnibench.scoring import by_decoding, chances
from omnibench.states import CellState
from omnibench.stats.cases import Predictions
from omnibench.task import Chance

Truths = Mapping[tuple[str, str], "Truth"]  # by task and dataset


@dataclass(frozen=True)
class Truth:
    """What the test cases of one task and dataset tell without any model.

    Attributes:
        cases: how many there are; None where none are stored.
        chances: "definition/name" -> what a guess scores.
    """

    cases: int | None = None
    chances: Mapping[str, Chance] = field(default_factory=dict)


def truths(
    finished: Iterable[tuple[CellState, Mapping[str, Any]]], predictions: Predictions
) -> dict[tuple[str, str], Truth]:
    """Return what the first readable record of each task and dataset says of its test cases."""
    known: dict[tuple[str, str], Truth] = {}
    for state, record in finished:
        task, dataset = state.cell.unit.task, state.cell.unit.dataset.id
        if (task, dataset) not in known:
            try:
                arrays = predictions(record["digest"]).arrays
            except (OmnibenchError, OSError):
                continue  # named by the comparisons, which need it too
            cases = len(arrays["test_case"]) if "test_case" in arrays else None
            decoded = next(iter(by_decoding(arrays).values()))
            known[task, dataset] = Truth(cases, {} if cases is None else chances(task, decoded))
    return known
