"""Tables as GitHub Markdown: also what the terminal shows after a run."""

import re
from collections.abc import Iterable, Mapping, Sequence

from omnibench.report.captions import caption
from omnibench.report.decodings import worth_a_sentence
from omnibench.report.numbers import POINTS, number
from omnibench.report.sentences import metric_names, sentence
from omnibench.report.table import NO_NUMBER, SETTINGS, Cell, Table
from omnibench.stats.pair import Comparison
from omnibench.stats.units import split_decoding

_LEFT_OUT = (
    "Of generated texts only the first column of each table is said here, under the last decoding; "
    "the CSV holds all comparisons."
)
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$#])")


def escape(text: str) -> str:
    """Return text that GitHub Markdown shows as it is, on one line, and no terminal obeys."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).translate(_CONTROLS))


def to_markdown(
    name: str,
    tables: Sequence[Table],
    comparisons: Sequence[Comparison],
    correction: str = "holm",
    equivalence: Mapping[Comparison, bool] | None = None,
) -> str:
    """Return the whole report: tables with captions, then comparisons in sentences.

    Args:
        correction: of the comparisons' p-values.
        equivalence: whether it is shown within the suite's margin, where that was asked.
    """
    blocks = [f"# {escape(name)}"]
    blocks += [_table(table) for table in tables] or ["There is no result yet."]
    said = worth_a_sentence(comparisons, tables)
    names = metric_names((c.definition, c.metric) for c in said)
    units = {table.definition: table.unit for table in tables}

    def unit(c: Comparison) -> str:
        return units.get(split_decoding(c.definition)[0], POINTS)

    shown = equivalence or {}
    sentences = [
        sentence(c, names[c.definition, c.metric], unit(c), correction, shown.get(c)) for c in said
    ]
    if sentences:
        blocks += ["## Significance", "\n".join(f"- {escape(text)}" for text in sentences)]
    if len(said) < len(comparisons):
        blocks.append(_LEFT_OUT)
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    head = [*table.heads, *table.columns]
    lines = [
        _line(escape(text) for text in head),
        _line(
            [
                *("---:" if name in SETTINGS else "---" for name in table.heads),
                *["---:"] * len(table.columns),
            ]
        ),
    ]
    for row in table.rows:
        cells = (_cell(cell, table.unit) for cell in row.cells)
        lines.append(_line([*map(escape, table.labels(row)), *cells]))
    return "\n\n".join([f"## {escape(table.title)}", "\n".join(lines), escape(caption(table))])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, unit: str) -> str:
    if cell.state in NO_NUMBER:
        return "\N{EN DASH}"
    if cell.state != "done":
        return cell.state
    text = number(cell.mean, unit, decimals=cell.decimals)
    text = f"<u>{text}</u>" if cell.rank == 2 else text
    text = f"**{text}**" if cell.leading else text
    if cell.std is not None:
        text += f" ± {number(cell.std, unit, decimals=cell.decimals)}"
    if cell.significant:
        text += "†"
    if cell.seen:
        text += "‡"
    if cell.partial:
        text += f" ({cell.n}/{cell.expected})"
    return text
