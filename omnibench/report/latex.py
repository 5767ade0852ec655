"""Tables as LaTeX: booktabs, aligned plus-minus signs, every text escaped."""

import re
import unicodedata
from collections.abc import Iterable

from omnibench.report.captions import caption
from omnibench.report.numbers import number
from omnibench.report.table import NO_NUMBER, SETTINGS, Cell, Row, Table

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


def to_latex(name: str, tables: Iterable[Table]) -> str:
    r"""Return table environments for \input, the records' digests as comments."""
    head = [
        f"% {' '.join(name.split())}: made by omnibench report",
        r"% needs \usepackage{booktabs}",
    ]
    return "\n".join([*head, *(_table(name, table) for table in tables)]) + "\n"


def _table(name: str, table: Table) -> str:
    columns = r" r@{\,$\pm$\,}l" * len(table.columns)
    heads = (rf"\multicolumn{{2}}{{c}}{{{escape(column)}}}" for column in table.columns)
    place = f"{table.task} {table.study} {table.metric or table.dataset} {table.definition}"
    label = "-".join(re.findall("[a-z0-9]+", f"{name} {place}".lower()))
    labels = "".join("r" if head in SETTINGS else "l" for head in table.heads)
    lines = [
        "",
        r"\begin{table}[htbp]",
        r"\centering",
        rf"\caption{{{escape(caption(table))}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{labels}{columns}}}",
        r"\toprule",
        rf"{' & '.join([*table.heads, *heads])} \\",
        r"\midrule",
    ]
    for above, row in zip((None, *table.rows), table.rows, strict=False):
        if above and row.published and not above.published:
            lines.append(r"\midrule")
        cells = (_cell(cell, table.unit) for cell in row.cells)
        line = " & ".join([*map(escape, table.labels(row)), *cells])
        lines += [rf"{line} \\", *_digests(table, row)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def _cell(cell: Cell, unit: str) -> str:
    if cell.state in NO_NUMBER:
        return r"\multicolumn{2}{c}{--}"
    if cell.state != "done":
        return rf"\multicolumn{{2}}{{c}}{{\textit{{{cell.state}}}}}"
    mean = number(cell.mean, unit, decimals=cell.decimals).replace("-", "$-$")
    mean = rf"\underline{{{mean}}}" if cell.rank == 2 else mean
    mean = rf"\textbf{{{mean}}}" if cell.leading else mean
    marks = r"$^{\dagger}$" if cell.significant else ""
    marks += r"$^{\ddagger}$" if cell.seen else ""
    marks += f" ({cell.n}/{cell.expected})" if cell.partial else ""
    if cell.std is None:
        return rf"\multicolumn{{2}}{{c}}{{{mean}{marks}}}"
    return f"{mean} & {number(cell.std, unit, decimals=cell.decimals)}{marks}"


def _digests(table: Table, row: Row) -> Iterable[str]:
    pairs = zip(table.columns, row.cells, strict=True)
    for dataset, found in dict.fromkeys((table.place(c)[0], cell.digests) for c, cell in pairs):
        if found:
            digests = " ".join(digest[:8] for digest in found)
            yield f"% {' '.join(dataset.split())}: {digests}"
