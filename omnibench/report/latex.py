"""Tables as LaTeX: booktabs, aligned plus-minus signs, every text escaped."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from omnibench.report.table import DASH, Cell, Column, Row, Table

ROWS = 45  # of a page, with room for the caption
_ROOM = 150  # characters beside each other, at three quarters of the size of a footnote
_VALUE = 12  # characters of a mean, its spread and its marks
_GAP = 3  # characters between columns
_CAPTION = 1800  # characters that a page has room for beside ROWS
_UNBROKEN = 24  # letters of a long word that stay together

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\ttfamily\char34}",  # upright in every font encoding
    "`": r"\textasciigrave{}",
    "[": "{[}",  # bare, a row that starts with it would be an option of \\
    "*": "{*}",
    "\N{HYPHEN}": "-",
    "\N{NON-BREAKING HYPHEN}": "-",
    "\N{FIGURE DASH}": r"\textendash{}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "\N{HORIZONTAL BAR}": r"\textemdash{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{DAGGER}": r"$^{\dagger}$",
    "\N{DOUBLE DAGGER}": r"$^{\ddagger}$",
    "\N{DEGREE SIGN}": r"$^{\circ}$",
    "\N{LATIN SMALL LETTER SHARP S}": r"\ss{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
    "\N{COMBINING RING ABOVE}": "r",
    "\N{COMBINING CARON}": "v",
    "\N{COMBINING CEDILLA}": "c",
}
_LIGATURE = re.compile(r"([-',?!])(?=[-',`])")


def escape(text: str) -> str:
    """Return LaTeX that prints text as it is, in any font encoding and on one line.

    What LaTeX's standard fonts lack is printed by its code point, so that it still compiles.
    """
    separated = _LIGATURE.sub("\\1\0", " ".join(text.split()))
    return "".join(_character(character) for character in separated)


def _character(character: str) -> str:
    if character == "\0":
        return "{}"
    if character in _ESCAPES:
        return _ESCAPES[character]
    if " " <= character <= "~":
        return character
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 2 and parts[0].isascii() and parts[1] in _ACCENTS:
        return f"\\{_ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"{{[}}U+{ord(character):04X}]"


def breakable(text: str) -> str:
    """Return escaped text whose very long words, as paths are, can go over the end of a line."""
    words = []
    for word in text.split():
        # A letter that the fonts lack is printed as its code point, in eight.
        if len(word) + 7 * escape(word).count("{[}U+") <= _UNBROKEN:
            words.append(escape(word))
        else:
            pieces = re.findall(rf"[A-Za-z0-9]{{1,{_UNBROKEN}}}[^A-Za-z0-9]?|.", word)
            words.append(r"\allowbreak{}".join(map(escape, pieces)))
    return " ".join(words)


def to_latex(name: str, tables: Iterable[Table], first: Iterable[str] = ()) -> str:
    r"""Return table environments for \input, each below the figure of its picture.

    Args:
        name: of the suite, a part of the labels.
        first: sentences that stand before them as comments.
    """
    head = (
        f"% {' '.join(name.split())}: made by omnibench report\n",
        "% needs \\usepackage{booktabs}\n",
        *(f"% {' '.join(sentence.split())}\n" for sentence in first),
    )
    return "".join((*head, *(f"\n{block}\n" for t in tables for block in _blocks(name, t))))


def fitted(table: Table, label: str) -> str:
    r"""Return a table as one or more environments that stand where they are, each within a page.

    Widths are estimated in characters; what is still too wide is scaled down by `\obfit`, which
    together with the box `\obtable` stands in `document.PREAMBLE`. Without rows, the caption alone
    is returned.

    Args:
        label: of the first part; the others share its number.
    """
    if not table.rows:
        return f"{breakable(table.caption)}\n"
    long = len(escape(table.caption)) > _CAPTION
    caption = "How to read it is said above." if long else breakable(table.caption)
    blocks = [rf"How to read Table~\ref{{{label}}}: {breakable(table.caption)}"] if long else []
    parts = list(_parts(table))
    for number, part in enumerate(parts, 1):
        if number > 1:
            caption = f"Part {number} of {len(parts)}; what is said of the first holds here too."
        blocks.append(_environment(part, caption, label if number == 1 else "", fits=True))
    if table.details:
        blocks.append(rf"{{\footnotesize {breakable(' '.join(table.details))}\par}}")
    return "\n\n".join(blocks) + "\n"


def _blocks(name: str, table: Table) -> Iterator[str]:
    label = "-".join(re.findall("[a-z0-9]+", f"{name} {table.name or table.title}".lower()))
    if table.picture:
        yield "\n".join(
            [
                r"% needs \usepackage{graphicx} and the picture's folder in \graphicspath",
                r"\begin{figure}[htbp]",
                r"\centering",
                rf"\includegraphics[width=\linewidth]{{{table.picture}}}",
                rf"\caption{{{escape(table.title)}: Table~\ref{{tab:{label}}} says how.}}",
                rf"\label{{fig:{label}}}",
                r"\end{figure}",
            ]
        )
    if table.rows:
        yield _environment(table, escape(table.caption), f"tab:{label}")
    else:
        yield f"% {' '.join(f'{table.title}: {table.caption}'.split())}"


def _environment(table: Table, caption: str, label: str, fits: bool = False) -> str:
    """Return one table environment.

    Args:
        caption: as LaTeX.
        label: "" of a part that continues the table before.
        fits: whether it stands where it is, scaled down where it is wider than a line.
    """
    body: list[str] = []
    for above, row in zip((None, *table.rows), table.rows, strict=False):
        if above and above.group != row.group:
            body.append(r"\midrule")
        body += [_line(map(_cell, table.columns, row.cells)), *_sources(row)]
    return "\n".join(
        [
            rf"\begin{{table}}[{'H' if fits else 'htbp'}]",
            *([] if label else [r"\ContinuedFloat"]),
            r"\centering",
            rf"\caption{{{caption}}}",
            *([rf"\label{{{label}}}"] if label else []),
            *([r"\footnotesize", r"\begin{lrbox}{\obtable}"] if fits else []),
            rf"\begin{{tabular}}{{{''.join(map(_alignment, table.columns))}}}",
            r"\toprule",
            _line(map(_head, table.columns)),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *([r"\end{lrbox}", r"\obfit"] if fits else _note(table)),
            r"\end{table}",
        ]
    )


def _note(table: Table) -> list[str]:
    """Return the details of a table as lines below it."""
    if not table.details:
        return []
    text = breakable(" ".join(table.details))
    return [rf"\par\smallskip\begin{{minipage}}{{\linewidth}}\footnotesize {text}\end{{minipage}}"]


def _alignment(column: Column) -> str:
    if column.kind == "value":
        return r" r@{\,$\pm$\,}l"
    return "r" if column.right else "l"


def _line(cells: Iterable[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _head(column: Column) -> str:
    head = escape(column.title)
    return rf"\multicolumn{{2}}{{c}}{{{head}}}" if column.kind == "value" else head


def _cell(column: Column, cell: Cell) -> str:
    if column.kind != "value":
        return escape(cell.text) + (rf"~\cite{{{cell.key}}}" if cell.key else "")
    if cell.kind == "absent":
        text = "--" if cell.text == DASH else rf"\textit{{{escape(cell.text)}}}"
        return rf"\multicolumn{{2}}{{c}}{{{text}}}"
    mean = cell.text.replace("-", "$-$")
    mean = rf"\underline{{{mean}}}" if "second" in cell.marks else mean
    mean = rf"\textbf{{{mean}}}" if "best" in cell.marks else mean
    signs = "".join(_ESCAPES.get(character, character) for character in cell.signs)
    if cell.std:
        return f"{mean} & {cell.std}{signs}"
    return rf"\multicolumn{{2}}{{c}}{{{mean}{signs}}}"


def _sources(row: Row) -> Iterator[str]:
    """Yield what the cells of a row were made from, as comments, each once."""
    for source in dict.fromkeys(cell.source for cell in row.cells if cell.source):
        yield f"% {' '.join(source.split())}"


def _parts(table: Table) -> Iterator[Table]:
    """Cut a table where it is too long or too wide; what names a row stands in each part."""
    columns = list(zip(table.columns, table.heads, *table.texts, strict=True))
    names, others = columns[: table.labels], columns[table.labels :]
    beside = max(
        sum(len(text) + _GAP for text in texts)
        for texts in zip(*(column[1:] for column in names), strict=True)
    )
    groups = _groups(_ROOM - beside, [_width(*column) for column in others])
    for start in range(0, len(table.rows), ROWS):
        for part in groups:
            yield replace(
                table,
                columns=_some(table.columns, table.labels, part),
                rows=tuple(
                    replace(row, cells=_some(row.cells, table.labels, part))
                    for row in table.rows[start : start + ROWS]
                ),
            )


def _some(items: tuple[Any, ...], labels: int, part: slice) -> tuple[Any, ...]:
    return items[:labels] + items[labels:][part]


def _width(column: Column, *texts: str) -> int:
    if column.kind == "value":
        return max(len(column.title), _VALUE) + _GAP
    return max(map(len, texts)) + _GAP


def _groups(room: int, widths: Sequence[int]) -> list[slice]:
    """Return the columns that stand in one part: equally many, so that none is left over alone."""
    if not widths:
        return [slice(0, 0)]
    parts = math.ceil(sum(widths) / max(room, *widths))
    size = math.ceil(len(widths) / parts)
    return [slice(start, start + size) for start in range(0, len(widths), size)]
