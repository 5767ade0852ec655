"""Selective prediction of each dataset's classifiers, as a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibench.report.stored_units import Model, StoredUnits
from omnibench.report.table import Cell, Column, Table
from omnibench.report.words import listed, number, span
from omnibench.stats.calibration import patients_of
from omnibench.stats.cases import Cases, refuse_other_cases
from omnibench.stats.deciding import decide, estimate
from omnibench.stats.influence import Influence
from omnibench.stats.result import Answer, Floats, RefusedError
from omnibench.stats.risk_coverage import Decisions, ensemble_augrc
from omnibench.task import POINTS

COVERAGE = 80  # percent, of the accuracy that is shown
Outcome = Answer | RefusedError


@dataclass(frozen=True, eq=False)
class Row:
    """What one model's repetitions are worth when they reject their least certain cases.

    Attributes:
        augrc, failures: each of R repetitions.
        interval: of the mean AUGRC.
        difference: in AUGRC from the baseline with the same adaptation; None of that itself, or
            without one.
        accuracy: at `COVERAGE`.
        ensemble: rule of uncertainty -> AUGRC of the repetitions as one; None of a single one.
    """

    model: Model
    cases: Cases
    augrc: Influence
    failures: Floats
    interval: Outcome
    accuracy: float
    ensemble: dict[str, float] | None
    difference: Outcome | None = None


def selective_table(units: StoredUnits, baseline: str | None) -> Table | None:
    """Return a row for each model of a dataset that stored logits; None where none can be used.

    Args:
        baseline: the backbone that the others are compared with.
    """
    rows, left = list[Row](), list[str]()
    for model, cases in units.read():
        try:
            if isinstance(cases, RefusedError):
                raise cases
            rows.append(_row(model, cases))
        except RefusedError as reason:
            left.append(f"{' with '.join(model)} is left out: {reason}.")
    if not rows:
        return None
    if baseline not in {row.model[0] for row in rows}:
        baseline = None
    by_model = {row.model: row for row in rows}
    rows = [_compared(row, by_model.get((baseline or "", row.model[1]))) for row in rows]
    rules = list(next((row.ensemble for row in rows if row.ensemble), {}))
    columns = [
        *(Column("backbone"), Column("adaptation"), _column("AUGRC", falling=True)),
        *([_column("difference", falling=True)] if baseline else []),
        *(_column("AUROC of failures"), _column(f"accuracy at {COVERAGE} % coverage")),
        *(_column(f"AUGRC of the ensemble, {rule}", falling=True) for rule in rules),
    ]
    table = Table.from_cells(
        f"Selective prediction: {units.dataset.id}",
        columns,
        [[*_cells(row, baseline, rules)] for row in rows],
        " ".join([*_caption(rows, baseline, rules), *_reasons(rows), *left]),
    )
    return replace(table, facets={"task": (units.task,), "dataset": (units.dataset.id,)})


def _row(model: Model, cases: Cases) -> Row:
    if cases.logits is None:
        raise RefusedError("no logits are stored")
    patients, decisions = patients_of(cases), Decisions.from_logits(cases.logits)
    augrc = patients.mean(decisions.augrc_by_case)
    try:
        interval: Outcome = estimate(augrc)
    except RefusedError as reason:
        interval = reason
    return Row(
        model,
        cases,
        augrc,
        decisions.failure_auroc_by_case.mean(axis=1),
        interval,
        decisions.accuracy_at(COVERAGE),
        ensemble_augrc(cases.logits),
    )


def _compared(row: Row, baseline: Row | None) -> Row:
    if baseline is None or baseline is row:
        return row
    try:
        refuse_other_cases(baseline.cases, row.cases, "the two models")
        return replace(row, difference=decide(row.augrc, baseline.augrc))
    except RefusedError as reason:
        return replace(row, difference=reason)


def _column(head: str, falling: bool = False) -> Column:
    return Column(head, "number", falling=falling, unit=POINTS, right=True)


def _cells(row: Row, baseline: str | None, rules: Sequence[str]) -> Iterator[Cell]:
    yield from map(Cell, row.model)
    yield _with_interval(float(row.augrc.values.mean()), row.interval)
    if baseline:
        if isinstance(row.difference, Answer):
            yield _with_interval(row.difference.difference, row.difference, signed=True)
        else:
            yield Cell.from_number(None, "")
    failures = float(row.failures.mean())
    yield _number(None if np.isnan(failures) else failures)
    yield _number(row.accuracy)
    for rule in rules:
        yield _number(row.ensemble[rule] if row.ensemble else None)


def _number(value: float | None) -> Cell:
    return Cell.from_number(value, "" if value is None else number(value))


def _with_interval(value: float, outcome: Outcome, signed: bool = False) -> Cell:
    text = _printed(value, signed)
    if isinstance(outcome, Answer):
        text += f" ({_printed(outcome.low, signed)} to {_printed(outcome.high, signed)})"
    return Cell(text, "number", value)


def _printed(value: float, signed: bool) -> str:
    return number(value, signed=signed).replace("-", "\N{MINUS SIGN}")


def _caption(rows: Sequence[Row], baseline: str | None, rules: Sequence[str]) -> Iterator[str]:
    n = span(row.cases.repetitions for row in rows)
    several = any(row.cases.logits is not None and row.cases.logits.multi_label for row in rows)
    labels = " and labels, each of which is ranked by itself" if several else ""
    yield (
        "What errors are left when the least certain test cases are rejected, by the largest "
        f"probability; means over repetitions (n = {n}){labels}. AUGRC (Traub et al. 2024): the "
        "area under the share of all cases that are accepted errors, over coverage; an order by "
        "chance has half the error rate. Its 95 % interval is for new images and new runs, of a "
        "single run for new images alone."
    )
    if baseline:
        yield (
            f"Differences in it from {baseline} with the same adaptation are paired by case; they "
            "are described, as verdicts are of the task's primary metric."
        )
    yield (
        "AUROC of failures: how often an error is less certain than a right answer; it says "
        "nothing of how many errors there are."
    )
    if rules:
        yield (
            "Ensemble: the mean probability of all repetitions decides, ranked by its largest "
            "entry (msp) or by how much the repetitions disagree (mutual information)."
        )


def _reasons(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a sentence for each reason why a number is absent, naming the models."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        name = " with ".join(row.model)
        if np.isnan(row.failures).any():
            why = "in some repetition all answers are right, or none (of some label)"
            reasons.setdefault(f"No AUROC of failures: {why}", []).append(name)
        if isinstance(row.interval, RefusedError):
            reasons.setdefault(f"No interval: {row.interval}", []).append(name)
        if isinstance(row.difference, RefusedError):
            reasons.setdefault(f"No difference: {row.difference}", []).append(name)
    for reason, names in reasons.items():
        yield f"{reason} ({'every model' if len(names) == len(rows) else listed(names)})."
