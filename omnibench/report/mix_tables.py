"""What is known of mixes of two qualities, as tables and as a CSV."""

from collections.abc import Iterable, Iterator

from omnibench.report.mixes import Mixed, MixedDataset
from omnibench.report.numbers import (
    INTERVALS,
    Number,
    ends,
    facts_of,
    ranged_cell,
    refused_sentences,
)
from omnibench.report.table import DASH, Cell, Column, Row, Table
from omnibench.report.words import listed
from omnibench.views import share_name

STEM, TITLE = "mixes", "Mix of qualities"
COLUMNS = (
    *("task", "dataset", "definition", "metric", "backbone", "adaptation", "low_quality"),
    *("measure", "train", "test", "value", "low", "high", "note"),
)


def mix_tables(made: MixedDataset) -> Iterator[Table]:
    """Yield the grid of each model, matched against mismatched, and leads over the baseline."""
    yield _grid(made)
    if any(model.matched for model in made.models.values()):
        yield _matched(made)
    if made.baseline:
        yield _leads(made)


def _grid(made: MixedDataset) -> Table:
    results = made.results
    columns = [
        *(Column("backbone"), Column("adaptation")),
        Column("trained on", "number", unit="% low", right=True),
        *(
            Column(
                f"tested on {share_name(share)} %",
                "value",
                falling=made.falling,
                right=True,
            )
            for share in made.test
        ),
    ]
    rows = []
    for model, mixed in made.models.items():
        for train in made.train:
            cells = [*map(Cell, model), Cell(share_name(train), "number", 100 * train)]
            cells += [_cell(mixed, train, test, results.unit) for test in made.test]
            rows.append(Row(tuple(cells), " ".join(model)))
    caption = (
        f"{results.metric} ({results.unit}) by the share of low quality ({made.low}) in training "
        "and in testing: means over repetitions; bold: the best share in training for a share in "
        "testing."
    )
    weighted = (
        "Each test image counts in both qualities, weighted by the share: for accuracies and areas "
        "under the curve that is the expectation over independent random draws, for F1 that of the "
        "expected counts."
        if made.copies
        else "Test images are weighted so that in each class the share is of low quality."
    )
    details = (f"{weighted} Means have {INTERVALS}, by leaving out at most 20 blocks of patients.",)
    reasons = (
        ("no intervals", str(mixed.reason), " with ".join(model))
        for model, mixed in made.models.items()
        if mixed.reason is not None
    )
    return _table(made, TITLE, columns, rows, [caption, *refused_sentences(reasons)], details, 3)


def _cell(mixed: Mixed, train: float, test: float, unit: str) -> Cell:
    if (train, test) not in mixed.cells:
        return Cell(DASH, "absent")
    whole = ranged_cell(mixed.cells[train, test], unit)
    text, _, interval = whole.text.partition(" (")
    if whole.value is None:
        return Cell(DASH, "absent")
    return Cell(
        text,
        "value",
        whole.value,
        marks=("best",) if mixed.best.get(test) == train else (),
        details=(f"95 % interval: {interval.removesuffix(')')}.",) if interval else (),
    )


def _matched(made: MixedDataset) -> Table:
    heads = ("matched", "mismatched", "difference")
    columns = [Column("backbone"), Column("adaptation")]
    columns += [Column(head, "number", unit=made.results.unit, right=True) for head in heads]
    rows = []
    for model, mixed in made.models.items():
        if mixed.matched is not None:
            matched, unit = mixed.matched, made.results.unit
            numbers = [ranged_cell(number, unit) for number in (matched.same, matched.other)]
            numbers.append(ranged_cell(matched.difference, unit, signed=True))
            rows.append(Row((*map(Cell, model), *numbers), model[1]))
    both = [share for share in made.train if share in made.test]
    caption = (
        f"Mean {made.results.metric} over shares of low quality that are the same in training and "
        f"testing, and over those that are not, of {_shares(both)}; with {INTERVALS}."
    )
    return _table(made, f"{TITLE}, matched or not", columns, rows, [caption])


def _leads(made: MixedDataset) -> Table:
    low, high = (f"trained on {share_name(share)} %" for share in (made.train[0], made.train[-1]))
    columns = [
        *(Column("backbone"), Column("adaptation")),
        Column("tested on", "number", unit="% low", right=True),
        *(
            Column(head, "number", unit=made.results.unit, right=True)
            for head in (low, high, "first less second")
        ),
    ]
    rows = []
    for model, mixed in made.models.items():
        for lead in mixed.leads:
            cells = [*map(Cell, model), Cell(share_name(lead.test), "number", 100 * lead.test)]
            cells += [
                ranged_cell(number, made.results.unit, signed=True)
                for number in (lead.low, lead.high, lead.interaction)
            ]
            rows.append(Row(tuple(cells), " ".join(model)))
    caption = (
        f"Difference in {made.results.metric} from {made.baseline}, trained on the lowest and on "
        "the highest share of low quality, and how much the first is beyond the second: whether "
        "what a backbone is better by depends on the quality that it is tuned on. Paired "
        f"by case, with {INTERVALS}."
    )
    return _table(made, f"{TITLE}, against {made.baseline}", columns, rows, [caption], labels=3)


def _table(
    made: MixedDataset,
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Row],
    caption: Iterable[str],
    details: tuple[str, ...] = (),
    labels: int = 2,
) -> Table:
    results = made.results
    facets = {"task": (results.task,), "dataset": (made.dataset,), "metric": (results.metric,)}
    return Table(
        f"{title}: {made.dataset}, {results.metric}",
        tuple(columns),
        tuple(rows),
        " ".join(caption),
        labels=labels,
        details=details,
        facets=facets,
    )


def _shares(shares: Iterable[float]) -> str:
    return f"{listed(map(share_name, shares))} %"


def long_table(datasets: Iterable[MixedDataset]) -> Table:
    """Return every number as a row, in full precision; what is undefined says why."""
    cells = []
    for made in datasets:
        for model, mixed in made.models.items():
            facts = facts_of(made.results, made.dataset, model) | {"low_quality": made.low}
            for measure, fields, number in _measures(made, mixed):
                every = {**facts, "measure": measure, **fields, **ends(number)}
                cells.append([Cell("", value=every.get(name)) for name in COLUMNS])
    return Table.from_cells(TITLE, map(Column, COLUMNS), cells)


def _measures(made: MixedDataset, mixed: Mixed) -> Iterator[tuple[str, dict[str, object], Number]]:
    for (train, test), number in mixed.cells.items():
        yield "value", {"train": train, "test": test}, number
    for test, best in mixed.best.items():
        yield "best", {"train": best, "test": test}, mixed.cells[best, test]
    if mixed.matched is not None:
        yield "matched", {}, mixed.matched.same
        yield "mismatched", {}, mixed.matched.other
        yield "matched-minus-mismatched", {}, mixed.matched.difference
    for lead in mixed.leads:
        yield "lead", {"train": made.train[0], "test": lead.test}, lead.low
        yield "lead", {"train": made.train[-1], "test": lead.test}, lead.high
        yield "interaction", {"test": lead.test}, lead.interaction
