"""What is known of models under corruptions, as tables and as a CSV."""

from collections.abc import Iterable, Iterator

from omnibench.report.balanced_errors import Severities
from omnibench.report.corruptions import CorruptedDataset, Hardiness
from omnibench.report.numbers import INTERVALS, ends, facts_of, ranged_cell, refused_sentences
from omnibench.report.table import Cell, Column, Row, Table
from omnibench.report.words import listed, number
from omnibench.stats.result import RefusedError
from omnibench.stats.shift import Measured

STEM, TITLE = "corruptions", "Corruptions"
COLUMNS = (
    *("task", "dataset", "definition", "metric", "backbone", "adaptation", "measure"),
    *("corruption", "severity", "value", "low", "high", "note"),
)
PER_CENT = "%"


def corruption_table(made: CorruptedDataset) -> Table:
    """Return a row a model: the test images as they are, each corruption, and what sums it up."""
    results = made.results
    columns = [Column("backbone"), Column("adaptation")]
    heads = ["as they are", *made.severities, "mean"]
    columns += [Column(head, "number", falling=made.falling, right=True) for head in heads]
    columns.append(Column("relative drop", "number", falling=True, unit=PER_CENT, right=True))
    several = len(made.severities) > 1
    if several:
        columns.append(Column("worst corruption"))
    if made.baseline:
        head = f"error against {made.baseline}"
        columns.append(Column(head, "number", falling=True, unit=PER_CENT, right=True))
    balanced = any(model.be for model in made.models.values())
    if balanced:
        columns += [
            Column(head, "number", falling=True, right=True)
            for head in ("medmnistc/be", "medmnistc/rbe")
        ]
    rows = []
    for model, hardiness in made.models.items():
        cells = [*map(Cell, model), ranged_cell(hardiness.clean, results.unit)]
        cells += [_short(mean, results.unit) for mean in hardiness.by_corruption.values()]
        cells.append(ranged_cell(hardiness.mean, results.unit))
        cells.append(ranged_cell(hardiness.drop))
        if several:
            cells.append(Cell(hardiness.worst or ""))
        if made.baseline:
            cells.append(ranged_cell(hardiness.error_ratio))
        if balanced:
            cells += [ranged_cell(n, "") for n in (hardiness.be, hardiness.rbe)]
        rows.append(Row(tuple(cells), model[1]))
    facets = {"task": (results.task,), "dataset": (made.dataset,), "metric": (results.metric,)}
    return Table(
        f"{TITLE}: {made.dataset}, {results.metric}",
        tuple(columns),
        tuple(rows),
        " ".join(_caption(made, balanced)),
        labels=2,
        details=tuple(_details(made, balanced)),
        facets=facets,
    )


def _short(mean: Measured, unit: str) -> Cell:
    """Return a number alone; its interval is told on demand."""
    whole = ranged_cell(mean, unit)
    text, _, interval = whole.text.partition(" (")
    details = (f"95 % interval: {interval.removesuffix(')')}.",) if interval else ()
    return Cell(text, whole.kind, whole.value, details=details)


def _caption(made: CorruptedDataset, balanced: bool) -> Iterator[str]:
    metric = made.results.metric
    yield (
        f"{metric} ({made.results.unit}) on the test images under corruptions: means over "
        f"repetitions and over {_severities(made.severities.values())} (1 mild, 5 strong), in "
        f"brackets {INTERVALS}."
    )
    yield (
        "Relative drop: (as they are - mean) / (as they are - chance)"
        + (
            f", chance {number(made.chance, made.results.unit)}."
            if made.chance is not None
            else "."
        )
    )
    if made.baseline:
        error = metric if made.falling else f"100 - {metric}"
        yield (
            f"Error against {made.baseline}: mean over corruptions of {error} over that of "
            f"{made.baseline} with the same adaptation; below 100 % it errs less (Hendrycks & "
            "Dietterich 2019)."
        )
    if balanced:
        yield (
            "medmnistc/be: mean over corruptions of 1 - balanced accuracy over AlexNet's; "
            "medmnistc/rbe: the same of what each is above that on the test images as they are "
            "(Di Salvo et al. 2024; AlexNet at 224 px)."
        )
    yield from refused_sentences(_refused(made))


def _severities(every: Iterable[Severities]) -> str:
    different = list(dict.fromkeys(every))
    if len(different) > 1:
        return "those severities that were run"
    (numbers,) = different
    if len(numbers) == 1:
        return f"severity {numbers[0]} alone"
    return f"severities {listed(map(str, numbers))}"


def _details(made: CorruptedDataset, balanced: bool) -> Iterator[str]:
    if len(set(made.severities.values())) > 1:
        names: dict[Severities, list[str]] = {}
        for name, of in made.severities.items():
            names.setdefault(of, []).append(name)
        parts = [f"{listed(map(str, of))} of {listed(some)}" for of, some in names.items()]
        yield f"Severities: {'; '.join(parts)}."
    yield (
        "Ratios are those of means over repetitions, and their intervals are linear about them "
        "(delta method). The random numbers of a case are the same for every model and severity."
    )
    if balanced and "motion-blur" in made.severities:
        yield "Motion blur is omnibench's own; AlexNet's errors are of ImageMagick's."


def _refused(made: CorruptedDataset) -> Iterator[tuple[str, str, str]]:
    """Yield what a model lacks, why, and which model."""
    for model, hardiness in made.models.items():
        name = " with ".join(model)
        if hardiness.reason is not None:
            yield "no intervals", str(hardiness.reason), name
        for what, outcome in (
            ("no relative drop", hardiness.drop),
            ("no error against the baseline", hardiness.error_ratio),
        ):
            if isinstance(outcome, RefusedError):
                yield what, str(outcome), name


def long_table(datasets: Iterable[CorruptedDataset]) -> Table:
    """Return every number as a row, in full precision; what is undefined says why."""
    cells = []
    for made in datasets:
        for model, hardiness in made.models.items():
            facts = facts_of(made.results, made.dataset, model)
            for measure, fields, outcome in _measures(hardiness):
                every = {**facts, "measure": measure, **fields, **ends(outcome)}
                cells.append([Cell("", value=every.get(name)) for name in COLUMNS])
    return Table.from_cells(TITLE, map(Column, COLUMNS), cells)


def _measures(
    model: Hardiness,
) -> Iterator[tuple[str, dict[str, object], Measured | RefusedError]]:
    yield "clean", {}, model.clean
    for name, by_severity in model.by_severity.items():
        for severity, value in by_severity.items():
            yield "value", {"corruption": name, "severity": severity}, value
    for name, mean in model.by_corruption.items():
        yield "corruption/mean", {"corruption": name}, mean
    yield "corruption/mean", {}, model.mean
    yield "corruption/relative-drop", {}, model.drop
    if model.worst is not None:
        yield "corruption/worst", {"corruption": model.worst}, model.by_corruption[model.worst]
    if model.error_ratio is not None:
        yield "corruption/error-ratio", {}, model.error_ratio
    if model.be is not None and model.rbe is not None:
        yield "medmnistc/be", {}, model.be
        yield "medmnistc/rbe", {}, model.rbe
