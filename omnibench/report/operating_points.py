"""Operating points of a dataset with two classes at the prevalence that the suite states."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.report.stored_units import StoredUnits
from omnibench.report.table import Cell, Column, Table
from omnibench.report.words import listed, number
from omnibench.stats.calibration import patients_of
from omnibench.stats.cases import Cases
from omnibench.stats.operating import threshold_at_sensitivity, threshold_at_specificity
from omnibench.stats.over_patients import Measure
from omnibench.stats.predictive import RATES, rates_at
from omnibench.stats.rates import Bools
from omnibench.stats.result import Floats, RefusedError
from omnibench.task import POINTS

Choose = Callable[[Floats, Bools, int], float | None]
TARGETS: tuple[tuple[str, Choose, int], ...] = tuple(
    (f"{name} {percent} %", choose, percent)
    for name, choose in (
        ("specificity", threshold_at_specificity),
        ("sensitivity", threshold_at_sensitivity),
    )
    for percent in (90, 95)
)


def operating_table(units: StoredUnits, prevalence: float) -> Table:
    """Return a row for each model and target; the caption says of whom there is none, and why."""
    rows, left, undefined = list[list[Cell]](), list[str](), dict[str, list[str]]()
    for model, cases in units.read():
        name = " with ".join(model)
        try:
            if isinstance(cases, RefusedError):
                raise cases
            targets = list(_targets(units, cases, units.models[model], prevalence))
        except RefusedError as reason:
            left.append(f"{name} is left out: {reason}.")
            continue
        for target, rates in targets:
            rows.append([*map(Cell, model), Cell(target), *(_cell(rates[rate]) for rate in RATES)])
            for rate in RATES:
                if isinstance(why := rates[rate], RefusedError):
                    undefined.setdefault(f"No {rate}: {why}", []).append(f"{name}, {target}")
    columns = [
        *map(Column, ("backbone", "adaptation", "validation")),
        *(Column(rate, "number", unit=POINTS, right=True) for rate in RATES),
    ]
    reasons = [f"{reason} ({listed(names)})." for reason, names in undefined.items()]
    caption = " ".join(
        [*([_caption(units.names(2)[1], prevalence)] if rows else []), *reasons, *left]
    )
    table = Table.from_cells(f"Operating points: {units.dataset.id}", columns, rows, caption)
    return replace(table, facets={"task": (units.task,), "dataset": (units.dataset.id,)})


def _targets(
    units: StoredUnits, cases: Cases, digests: Mapping[int, str], prevalence: float
) -> Iterator[tuple[str, Mapping[str, Measure]]]:
    """Yield each target with the rates of the thresholds that reach it on validation."""
    if cases.logits is None or cases.logits.multi_label or cases.logits.values.shape[2] != 2:
        raise RefusedError("it does not tell two classes apart")
    patients, positive = patients_of(cases), cases.logits.labels == 1
    scores = _odds(cases.logits.values)
    stored = [units.predictions(digests[k]).arrays for k in sorted(digests)]
    if not all("val_logits" in arrays and "val_labels" in arrays for arrays in stored):
        raise RefusedError("its predictions hold no validation split")
    for target, choose, percent in TARGETS:
        chosen = [choose(_odds(a["val_logits"]), a["val_labels"] == 1, percent) for a in stored]
        known = [threshold for threshold in chosen if threshold is not None]
        if len(known) < len(chosen):
            raise RefusedError("its validation split shows one class alone")
        yield target, rates_at(np.array(known), scores, positive, patients, prevalence)


def _odds(logits: NDArray[Any]) -> Floats:
    """Return the log-odds [...] of the second class of logits [..., 2]."""
    odds: Floats = np.diff(logits.astype(np.float64), axis=-1)[..., 0]
    return odds


def _cell(measure: Measure) -> Cell:
    if isinstance(measure, RefusedError):
        return Cell.from_number(None, "")
    text = number(measure.value)
    # Where all repetitions decide all cases alike, as at 0 and 100, nothing is known of others.
    if measure.low < measure.high:
        low, high = max(0.0, measure.low), min(1.0, measure.high)
        text += f" ({number(low)} to {number(high)})"
    return Cell(text, "number", measure.value)


def _caption(positive: str, prevalence: float) -> str:
    return (
        "Each repetition's threshold is chosen on the validation split, to have at least the named "
        "rate there and as much as it can of the other, and applied to the test split: what it has "
        "there may be less. Means over repetitions with 95 % intervals over patients (cases where "
        "patients are unknown) of the same thresholds, cut at 0 and 100; none where all cases are "
        f"decided alike. PPV and NPV are by Bayes' rule at a prevalence of {positive} of "
        f"{100 * prevalence:g} %, as the suite states; the metrics of that name in the CSV are at "
        "the test split's own."
    )
