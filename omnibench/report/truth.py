"""How many cases a task tests on a dataset, and what a guess scores there."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnibench.errors import OmnibenchError
from omnibench.report.names import Names
from omnibench.report.results import Results
from omnibench.report.table import DASH, Cell, Row
from omnibench.report.words import listed, number
from omnibench.scoring import by_decoding, chances
from omnibench.states import CellState
from omnibench.stats.cases import Predictions
from omnibench.stats.units import undecoded
from omnibench.task import Chance

log = logging.getLogger("omnibench")
CHANCE = "chance"  # stands where other rows name their backbone
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
            known[task, dataset] = Truth(cases, {} if cases is None else _chances(task, decoded))
    return known


def _chances(task: str, predictions: Mapping[str, Any]) -> dict[str, Chance]:
    try:
        return chances(task, predictions)
    except OmnibenchError as error:  # a report is worth more than its chance levels
        log.warning("No chance levels of %s: %s", task, error)
        return {}


def chance_rows(results: Results, truths: Truths, names: Names, further: int) -> Iterator[Row]:
    """Yield the row of what a guess or each baseline scores, of each dataset among several.

    Args:
        further: how many cells without a number follow the values.
    """
    datasets = dict.fromkeys(row.dataset for row in results.rows) if results.several else [""]
    for dataset in datasets:
        chances = [_chance(results, column, dataset, truths) for column in results.columns]
        baselines = dict.fromkeys(name for chance in chances if chance for name in chance.baselines)
        for name in baselines or ([CHANCE] if any(chances) else []):
            cells = [
                _guess(chance, name, results.unit_of(column))
                for column, chance in zip(results.columns, chances, strict=True)
            ]
            labels = [Cell("") for _ in results.heads]
            labels[results.heads.index("backbone")] = Cell(name)
            if results.several:
                labels[0] = Cell(names.dataset(dataset))
            yield Row((*labels, *cells, *(Cell(DASH) for _ in range(further))), CHANCE)


def chance_details(results: Results, truths: Truths, names: Names) -> Iterator[str]:
    """Yield a sentence: which guess the numbers of each column are of."""
    guesses: dict[str, dict[str, None]] = {}
    datasets = list(dict.fromkeys(row.dataset for row in results.rows)) if results.several else [""]
    for column in results.columns:
        for dataset in datasets:
            chance = _chance(results, column, dataset, truths)
            if chance is not None and not chance.baselines:
                head = names.dataset(column) if results.metric else column
                guesses.setdefault(chance.guess, {})[head] = None
    if guesses:
        parts = [f"{listed(heads)} of {guess}" for guess, heads in guesses.items()]
        yield f"Chance, without a look at the images: {'; '.join(parts)}."


def _chance(results: Results, column: str, dataset: str, truths: Truths) -> Chance | None:
    if results.study:
        return None
    truth = truths.get((results.task, dataset or results.place(column)[0]), Truth())
    return truth.chances.get(undecoded(results.score(column)))


def _guess(chance: Chance | None, name: str, unit: str) -> Cell:
    """Return what a guess scores, or the baseline of this name."""
    value = chance and (chance.baselines.get(name) if chance.baselines else chance.value)
    if chance is None or value is None:
        return Cell(DASH, "absent")
    details = (f"Chance: {chance.guess}.",) if name == CHANCE else (f"Baseline: {name}.",)
    return Cell(number(value, unit), "value", value, details=details)
