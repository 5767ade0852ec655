"""Calibration and net benefit of each dataset's classifiers, as tables and as a CSV."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from omnibench.report.stored_units import Model, StoredUnits
from omnibench.report.table import Cell, Column, Table
from omnibench.report.words import listed, number, span
from omnibench.stats.calibration import Calibration, calibration
from omnibench.stats.cases import Cases
from omnibench.stats.over_patients import Estimate, Measure
from omnibench.stats.rates import BINS
from omnibench.stats.result import RefusedError
from omnibench.task import POINTS

STEM = "calibration"
COLUMNS = (
    *("task", "dataset", "backbone", "adaptation", "measure", "class"),
    *("value", "low", "high", "repetitions", "cases", "patients", "note"),
)
HEADS = ("slope", "intercept", "calibration error", "Brier score")


@dataclass(frozen=True, eq=False)
class Row:
    """One model's calibration, and what it is taken from.

    Attributes:
        patients: None where they are unknown.
    """

    model: Model
    calibration: Calibration
    repetitions: int
    cases: int
    patients: int | None

    @property
    def name(self) -> str:
        """Return backbone and adaptation."""
        return " with ".join(self.model)

    @property
    def measures(self) -> dict[str, tuple[Measure, str]]:
        """Return the four numbers and what each is in, by their heads."""
        c = self.calibration
        units = ("", "", POINTS, POINTS)
        measures = (c.slope, c.intercept, c.error, c.brier)
        return dict(zip(HEADS, zip(measures, units, strict=True), strict=True))

    @property
    def undefined(self) -> Iterator[tuple[int, str]]:
        """Yield each class or label without a slope or an intercept, and why."""
        for what, by_class in (
            ("slope", self.calibration.slopes),
            ("intercept", self.calibration.intercepts),
        ):
            for k, measure in by_class.items():
                if isinstance(measure, RefusedError):
                    yield k, f"no {what}, as {measure}"


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The models of one task that stored logits for one dataset.

    Attributes:
        classes: names of classes or labels.
        rows: of the models whose logits can be used.
        left: a sentence for each of the others.
    """

    task: str
    dataset: str
    classes: tuple[str, ...]
    multi_label: bool
    rows: Sequence[Row]
    left: Sequence[str]


def calibrated(units: StoredUnits) -> Calibrated | None:
    """Return the calibration of each model of a dataset; None where no logits can be used."""
    rows, left = list[Row](), list[str]()
    classes: tuple[str, ...] = ()
    multi_label = False
    for model, cases in units.read():
        try:
            if isinstance(cases, RefusedError):
                raise cases
            measured = calibration(cases)
        except RefusedError as reason:
            left.append(f"{' with '.join(model)} is left out: {reason}.")
            continue
        assert cases.logits is not None
        if not rows:
            classes = units.names(cases.logits.values.shape[2])
            multi_label = cases.logits.multi_label
        rows.append(_row(model, measured, cases))
    if not rows:
        return None
    return Calibrated(units.task, units.dataset.id, classes, multi_label, rows, left)


def _row(model: Model, measured: Calibration, cases: Cases) -> Row:
    patients = None if cases.groups is None else int(cases.cluster.max()) + 1
    return Row(model, measured, cases.repetitions, len(cases.ids), patients)


def calibration_table(dataset: Calibrated) -> Table:
    """Return a row a model, with what must be known to read it."""
    columns = [
        Column("backbone"),
        Column("adaptation"),
        *(
            Column(head, "number", falling=unit == POINTS, unit=unit, right=True)
            for head, (_, unit) in dataset.rows[0].measures.items()
        ),
    ]
    rows = [
        [*map(Cell, row.model), *(_cell(*measure) for measure in row.measures.values())]
        for row in dataset.rows
    ]
    caption = " ".join([*_caption(dataset), *_undefined(dataset), *dataset.left])
    table = Table.from_cells(f"Calibration: {dataset.dataset}", columns, rows, caption)
    return replace(table, facets={"task": (dataset.task,), "dataset": (dataset.dataset,)})


def _cell(measure: Measure, unit: str) -> Cell:
    if isinstance(measure, RefusedError):
        return Cell.from_number(None, "")
    low, value, high = (_number(x, unit) for x in (measure.low, measure.value, measure.high))
    return Cell(f"{value} ({low} to {high})", "number", measure.value)


def _number(value: float, unit: str) -> str:
    text = number(value, unit)
    if not text.strip("-0."):
        return text.removeprefix("-")
    return text.replace("-", "\N{MINUS SIGN}")


def _caption(dataset: Calibrated) -> Iterator[str]:
    rows, several = dataset.rows, "labels" if dataset.multi_label else "classes"
    binary = not dataset.multi_label and len(dataset.classes) == 2
    yield (
        f"Calibration of the stored logits on {_sample(rows)}. Each number is the mean over "
        f"repetitions (n = {span(row.repetitions for row in rows)}) with its 95 % interval over "
        f"{_units(rows)}: jackknife, t of their number less one; it says nothing of new runs."
    )
    whose = f"of the class {dataset.classes[-1]}" if binary else "of a class against the rest"
    whose = "of a label" if dataset.multi_label else whose
    mean = f"; means over the {several} that have them, in which intercepts of both signs cancel"
    mean = "" if binary else f"{mean}: {STEM}.csv has those of each"
    yield (
        f"Slope: b in logit P = a + b x the log-odds {whose}; below 1 the predictions are too "
        "extreme. Intercept: a with b held at 1; below 0 too much is predicted of it (Cox 1958, "
        f"Van Calster et al. 2019){mean}."
    )
    what = (
        "each label's probability, the mean over labels"
        if dataset.multi_label
        else ("the largest probability")
    )
    yield (
        f"Calibration error: of {what}; the root of the squared error in at most {BINS} bins of "
        "about equally many cases, debiased (Kumar et al. 2019); 0 where that is not above 0."
    )
    most = "mean over labels, 0 to 100" if dataset.multi_label else "summed over classes, 0 to 200"
    yield f"Brier score: squared error of the probabilities, {most}."


def _units(rows: Sequence[Row]) -> str:
    return "cases" if all(row.patients is None for row in rows) else "patients"


def _sample(rows: Sequence[Row]) -> str:
    cases = f"{span(row.cases for row in rows)} test cases"
    patients = [row.patients for row in rows if row.patients is not None]
    return f"{cases} of {span(patients)} patients" if patients else f"{cases}, patients unknown"


def _undefined(dataset: Calibrated) -> Iterator[str]:
    """Yield a sentence for each class and reason, naming the models that it holds for."""
    models: dict[tuple[int, str], list[str]] = {}
    for row in dataset.rows:
        for place in row.undefined:
            models.setdefault(place, []).append(row.name)
    for (k, reason), names in models.items():
        every = len(names) == len(dataset.rows)
        yield f"{dataset.classes[k]}: {reason} ({'every model' if every else listed(names)})."
    reasons: dict[str, list[str]] = {}
    for row in dataset.rows:
        if isinstance(row.calibration.error, RefusedError):
            reasons.setdefault(str(row.calibration.error), []).append(row.name)
    for text, names in reasons.items():
        yield f"No calibration error of {listed(names)}: {text}."


def long_table(datasets: Iterable[Calibrated]) -> Table:
    """Return every number as a row, in full precision; what is undefined says why."""
    cells = []
    for dataset in datasets:
        for row in dataset.rows:
            facts: dict[str, object] = {"task": dataset.task, "dataset": dataset.dataset}
            facts |= dict(zip(("backbone", "adaptation"), row.model, strict=True))
            facts |= {"repetitions": row.repetitions, "cases": row.cases, "patients": row.patients}
            for measure, name, value in _measures(dataset, row):
                fields = {**facts, "measure": measure, "class": name} | _fields(value)
                cells.append([Cell("", value=fields.get(column)) for column in COLUMNS])
    return Table.from_cells("Calibration", map(Column, COLUMNS), cells)


def _measures(dataset: Calibrated, row: Row) -> Iterator[tuple[str, str | None, Measure]]:
    for head, (value, _) in row.measures.items():
        yield head.lower().replace(" ", "_"), None, value
    by_class = {"slope": row.calibration.slopes, "intercept": row.calibration.intercepts}
    for measure, values in by_class.items():
        for k, value in values.items():
            yield measure, dataset.classes[k], value


def _fields(value: Measure) -> dict[str, object]:
    if isinstance(value, Estimate):
        return {"value": value.value, "low": value.low, "high": value.high}
    return {"note": str(value)}
