"""Tables as GitHub Markdown: also what the terminal shows after a run."""

import re
from collections.abc import Iterable, Sequence

from omnibench.report.captions import caption
from omnibench.report.decodings import worth_a_sentence
from omnibench.report.numbers import POINTS, number
from omnibench.report.sentences import metric_names, sentence
from omnibench.report.table import NO_NUMBER, Cell, Table
from omnibench.stats.pair import Comparison
from omnibench.stats.units import split_decoding

_LEFT_OUT = (
    "Of generated texts only the first column of each table is said here, under the last decoding; "
    "the CSV holds all comparisons."
)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$#])")


def escape(text: str) -> str:
    """Return text that GitHub Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def to_markdown(name: str, tables: Sequence[Table], comparisons: Sequence[Comparison]) -> str:
    """Return the whole report: tables with captions, then comparisons in sentences."""
    blocks = [f"# {escape(name)}"]
    blocks += [_table(table) for table in tables] or ["There is no result yet."]
    said = worth_a_sentence(comparisons, tables)
    names = metric_names((c.definition, c.metric) for c in said)
    units = {table.definition: table.unit for table in tables}

    def unit(c: Comparison) -> str:
        return units.get(split_decoding(c.definition)[0], POINTS)

    sentences = [sentence(c, names[c.definition, c.metric], unit(c)) for c in said]
    if sentences:
        blocks += ["## Significance", "\n".join(f"- {escape(text)}" for text in sentences)]
    if len(said) < len(comparisons):
        blocks.append(_LEFT_OUT)
    return "\n\n".join(blocks) + "\n"


def _table(table: Table) -> str:
    head = [*table.heads, *table.columns]
    lines = [
        _line(escape(text) for text in head),
        _line(["---", "---", *["---:"] * (len(head) - 2)]),
    ]
    for row in table.rows:
        cells = (_cell(cell, table.unit) for cell in row.cells)
        lines.append(_line([*map(escape, row.labels), *cells]))
    return "\n\n".join([f"## {escape(table.title)}", "\n".join(lines), escape(caption(table))])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell, unit: str) -> str:
    if cell.state in NO_NUMBER:
        return "\N{EN DASH}"
    if cell.state != "done":
        return cell.state
    text = {1: "**{}**", 2: "<u>{}</u>"}.get(cell.rank, "{}").format(number(cell.mean, unit))
    if cell.std is not None:
        text += f" ± {number(cell.std, unit)}"
    if cell.significant:
        text += "†"
    if cell.partial:
        text += f" ({cell.n}/{cell.expected})"
    return text
