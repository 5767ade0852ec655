"""Tables of generated texts: a row for each decoding of a model, a column for each metric."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from omnibench.report.build import ranked
from omnibench.report.table import Cell, Row, Table
from omnibench.stats.pair import Comparison
from omnibench.stats.units import split_decoding

Label = tuple[str, str, str]  # backbone, adaptation, decoding


def gather_decodings(tables: Iterable[Table]) -> list[Table]:
    """Make one table for each task, definition and dataset of generated texts; keep the others.

    Bold and underlined are the best of a column over all its decodings; the comparisons stay those
    within one decoding.

    Args:
        tables: one for each task, definition (with its decoding) and metric.
    """
    groups: dict[tuple[str, str, str], list[Table]] = {}
    for table in tables:
        definition, decoding = split_decoding(table.definition)
        for place in table.columns if decoding else (table.metric,):
            groups.setdefault((table.task, definition, place), []).append(table)
    return [
        _gathered(group, definition, place) if group[0].definition != definition else group[0]
        for (_, definition, place), group in groups.items()
    ]


def _gathered(tables: Sequence[Table], definition: str, dataset: str) -> Table:
    rows: dict[Label, Row] = {}
    columns: dict[str, dict[Label, Cell]] = {}
    for table in tables:
        _, decoding = split_decoding(table.definition)
        at = table.columns.index(dataset)
        for row in table.rows:
            if row.cells[at].state != "unplanned":
                label = (row.backbone, row.adaptation, decoding)
                rows.setdefault(label, replace(row, decoding=decoding))
                columns.setdefault(table.metric, {})[label] = row.cells[at]
    falling = frozenset[str]().union(*(table.lower_is_better for table in tables))
    columns = {metric: ranked(column, metric in falling) for metric, column in columns.items()}
    models = list(dict.fromkeys(label[:2] for label in rows))
    absent = Cell("unplanned")
    return replace(
        tables[0],
        definition=definition,
        metric="",
        dataset=dataset,
        columns=tuple(columns),
        rows=tuple(
            replace(
                rows[label],
                cells=tuple(column.get(label, absent) for column in columns.values()),
            )
            for label in sorted(rows, key=lambda label: models.index(label[:2]))
        ),
        lower_is_better=falling,
        notes=tuple(note for note in tables[0].notes if note[0] == dataset),
    )


def worth_a_sentence(
    comparisons: Iterable[Comparison], tables: Iterable[Table]
) -> list[Comparison]:
    """Return all but those of generated texts: of them, the first column under the last decoding.

    Args:
        tables: those that are printed, as `gather_decodings` returned them.
    """
    first = {table.definition: table.columns[0] for table in tables if table.dataset}
    kept: dict[tuple[str, ...], Comparison] = {}
    for c in comparisons:
        definition, decoding = split_decoding(c.definition)
        if not decoding or c.metric == first.get(definition):
            place = (c.task, c.dataset, c.adaptation, c.backbone_a, c.backbone_b)
            kept[*place, definition, c.metric] = c
    return list(kept.values())
