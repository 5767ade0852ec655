"""Tables as GitHub Markdown: also what the terminal shows after a run."""

import re
from collections.abc import Iterable, Iterator, Sequence

from omnibench.report.answers import Answer
from omnibench.report.table import Cell, Table

_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$#])")


def escape(text: str) -> str:
    """Return text that GitHub Markdown shows as it is, on one line, and no terminal obeys."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()).translate(_CONTROLS))


def to_markdown(
    name: str,
    tables: Sequence[Table],
    sentences: Sequence[str] = (),
    notes: Sequence[str] = (),
    further: Sequence[Table] = (),
    first: Sequence[str] = (),
    answers: Sequence[Answer] = (),
) -> str:
    """Return the whole report: tables with captions, what was tested, and the other tables.

    Args:
        sentences: one for each comparison.
        notes: what else must be said of them.
        further: what stands after the comparisons.
        first: what must be said before all.
        answers: what stands next.
    """
    blocks = [f"# {escape(name)}", *map(escape, first)]
    blocks += [block for answer in answers for block in _answer(answer)]
    blocks += [block for table in tables for block in _blocks(table)] or ["There is no result yet."]
    if sentences:
        blocks += ["## Significance", "\n".join(f"- {escape(text)}" for text in sentences)]
    blocks += [escape(note) for note in notes]
    blocks += [block for table in further for block in _blocks(table)]
    return "\n\n".join(blocks) + "\n"


def _answer(answer: Answer) -> Iterator[str]:
    yield f"**{escape(answer.task)}**: {escape(answer.headline)}"
    if texts := [*answer.sentences, *answer.lacking, *answer.doubts]:
        yield "\n".join(f"- {escape(text)}" for text in texts)


def _blocks(table: Table) -> Iterator[str]:
    yield f"## {escape(table.title)}"
    if table.picture:
        yield f"![{escape(table.title)}]({table.picture}.png)"
    if table.rows:
        rule = ("---:" if c.right or c.kind == "value" else "---" for c in table.columns)
        rows = (map(_cell, row.cells) for row in table.rows)
        yield "\n".join(map(_line, (map(escape, table.heads), rule, *rows)))
    yield escape(table.caption)
    if table.details:
        text = escape(" ".join(table.details))
        yield f"<details><summary>Details</summary>\n\n{text}\n\n</details>"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = f"<u>{text}</u>" if "second" in cell.marks else text
    text = f"**{text}**" if "best" in cell.marks else text
    return f"{text} ± {cell.std}{cell.signs}" if cell.std else f"{text}{cell.signs}"
