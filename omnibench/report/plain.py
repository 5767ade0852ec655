"""A table of texts, for what is no metric of cells; the renderers of `Table` are for those."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnibench.report import latex, markdown


@dataclass(frozen=True)
class PlainTable:
    """Rows of texts under a title, the first column being their names.

    Attributes:
        rows: each as long as `heads`; none where the caption says it all.
        picture: name, without its ending, of a picture beside the report that stands above it.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    picture: str = ""


def plain_markdown(tables: Iterable[PlainTable]) -> str:
    """Return tables with titles and captions, to stand after the report's Markdown."""
    return "".join(f"\n{block}\n" for table in tables for block in _markdown(table))


def _markdown(table: PlainTable) -> Iterable[str]:
    yield f"## {markdown.escape(table.title)}"
    if table.picture:
        yield f"![{markdown.escape(table.title)}]({table.picture}.png)"
    if table.rows:
        rule = ["---", *["---:"] * (len(table.heads) - 1)]
        rows = [[markdown.escape(text) for text in row] for row in (table.heads, *table.rows)]
        lines = [rows[0], rule, *rows[1:]]
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    yield markdown.escape(table.caption)


def plain_latex(name: str, tables: Sequence[PlainTable]) -> str:
    r"""Return table environments, each below the figure of its picture, for the end of the LaTeX.

    Args:
        name: of the suite, a part of the labels.
    """
    return "".join(f"\n{block}\n" for table in tables for block in _latex(name, table))


def _latex(name: str, table: PlainTable) -> Iterable[str]:
    label = "-".join(re.findall("[a-z0-9]+", f"{name} {table.title}".lower()))
    caption = rf"\caption{{{latex.escape(table.caption)}}}"
    if table.picture:
        yield "\n".join(
            [
                r"% needs \usepackage{graphicx} and the picture's folder in \graphicspath",
                r"\begin{figure}[htbp]",
                r"\centering",
                rf"\includegraphics[width=\linewidth]{{{table.picture}}}",
                rf"\caption{{{latex.escape(table.title)}: Table~\ref{{tab:{label}}} says how.}}",
                rf"\label{{fig:{label}}}",
                r"\end{figure}",
            ]
        )
    if not table.rows:
        yield f"% {' '.join(f'{table.title}: {table.caption}'.split())}"
        return
    rows = [rf"{' & '.join(map(latex.escape, row))} \\" for row in (table.heads, *table.rows)]
    yield "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            caption,
            rf"\label{{tab:{label}}}",
            rf"\begin{{tabular}}{{{'l'.ljust(len(table.heads), 'r')}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
