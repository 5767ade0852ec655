r"""Every headline number as a LaTeX command, so that a paper quotes what the records say."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from omnibench.cell import digest_of
from omnibench.report.results import Result, ResultRow, Results
from omnibench.report.study import Study
from omnibench.report.words import UNDEFINED, number, probability

# No command of LaTeX starts with these and a capital; \newcommand refuses what exists in any case.
PREFIX = r"\ob"
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")  # after the six of a hexadecimal number
_APART = 8  # letters of a digest that keep names apart


@dataclass(frozen=True)
class Headline:
    """One cell of a task's primary results and what its numbers are called.

    Attributes:
        column: of `results`, a dataset.
        stem: what the names of its commands share.
        rival: the baseline's cell in the same column and adaptation, if there is one.
    """

    results: Results
    column: str
    row: ResultRow
    cell: Result
    stem: str
    rival: Result | None = None

    def command(self, kind: str) -> str:
        """Return the name of a command, with its backslash.

        Args:
            kind: a key of `mean` or `difference`.
        """
        return f"{PREFIX}{self.stem}{kind}"

    @property
    def mean(self) -> Mapping[str, str]:
        """Return kind -> LaTeX of mean and sample standard deviation, in the table's unit."""
        if self.cell.state != "done":
            return dict.fromkeys(("Mean", "Std"), _italic(self.cell.state))
        std = self.cell.std
        return {
            "Mean": _number(self.cell.mean, self.results),
            "Std": _italic("one repetition") if std is None else _number(std, self.results),
        }

    @property
    def difference(self) -> Mapping[str, str]:
        """Return kind -> LaTeX of the comparison with the baseline; nothing for the baseline."""
        if self.results.baseline in (None, self.row.backbone):
            return {}
        kinds = ("Difference", "Low", "High", "P")
        against, state = self.cell.against, self.cell.state
        if against is None:
            return dict.fromkeys(kinds, _italic("not compared" if state == "done" else state))
        numbers = {kind: _italic("not tested") for kind in kinds}
        numbers["Difference"] = _number(against.difference, self.results, signed=True)
        if against.test != "none":
            p = against.p_corrected
            numbers["Low"] = _number(against.low, self.results)
            numbers["High"] = _number(against.high, self.results)
            numbers["P"] = rf"\ensuremath{{{probability(p)}}}" if math.isfinite(p) else _italic()
        return numbers


def headlines(study: Study) -> list[Headline]:
    """Return each cell of each task's primary table, in the order of the tables.

    Names that would be equal, as those of `a-b` and `a_b`, all end in letters of their cell's
    digest, so that none depends on the order or takes another's number over.
    """
    cells = [place for results in study.primary.values() for place in _cells(results)]
    stems = [_stem(*place[:3]) for place in cells]
    counts = Counter(stems)
    return [
        Headline(
            *place[:4],
            stem=stem if counts[stem] == 1 else stem + _digest(*place[:3]),
            rival=place[4],
        )
        for place, stem in zip(cells, stems, strict=True)
    ]


def to_commands(name: str, headlines: Sequence[Headline], correction: str) -> str:
    r"""Return a file for \input: a \newcommand for each number, what it is as a comment.

    Args:
        name: of the suite.
        correction: of the p values, as the suite names it.
    """
    head = (
        f"% {_plain(name)}: the headline numbers, made by omnibench report",
        r"% \...Mean{} and \...Std{} are in the unit named; \...Difference{} is from the baseline,",
        r"% with the 95 % interval \...Low{} to \...High{} for new images and runs; \...P{} is its",
        "% corrected p with its relation, as in $p = .012$. All stand in text and in formulas.",
    )
    lines = (line for headline in headlines for line in _lines(headline, correction))
    return "\n".join([*head, *lines]) + "\n"


def _cells(results: Results) -> Iterable[tuple[Results, str, ResultRow, Result, Result | None]]:
    rivals = {row.adaptation: row for row in results.rows if row.backbone == results.baseline}
    for row in (row for row in results.rows if not row.published):
        for at, (column, cell) in enumerate(zip(results.columns, row.cells, strict=True)):
            rival = rivals.get(row.adaptation)
            yield results, column, row, cell, rival.cells[at] if rival else None


def _stem(results: Results, column: str, row: ResultRow) -> str:
    return "".join(map(_letters, (row.backbone, row.adaptation, column, results.metric)))


def _letters(text: str) -> str:
    """Return text as a part of a name: "lite-0.5" as "LiteZeroFive"; accents are dropped."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall("[A-Za-z]+|[0-9]", ascii_only)
    return "".join(_DIGITS[int(w)] if w.isdecimal() else w[0].upper() + w[1:] for w in words)


def _digest(results: Results, column: str, row: ResultRow) -> str:
    place = [results.task, results.definition, results.metric, column, row.backbone, row.adaptation]
    return digest_of({"place": place})[:_APART].translate(_LETTERS).capitalize()


def _lines(headline: Headline, correction: str) -> Iterable[str]:
    results, row, cell = headline.results, headline.row, headline.cell
    yield ""
    yield _plain(
        f"% {row.backbone}, {row.adaptation}, on {headline.column}: {results.task} "
        f"{results.metric} ({results.definition}) in {results.unit}, n = {cell.n} of "
        f"{cell.expected}; {_records(cell)}"
    )
    yield from _commands(headline, headline.mean)
    if headline.difference:
        against = cell.against
        tested = against is not None and against.test != "none"
        how = ""
        if against and tested:
            how = f"for {against.test}, {correction} over {against.family}: {against.verdict}"
        why = against.note if against and not tested else ""
        yield _plain(
            f"% its difference from {results.baseline}: {how or why or 'not compared'}; "
            f"{_records(headline.rival) if headline.rival else 'no records'} of the baseline"
        )
    yield from _commands(headline, headline.difference)


def _commands(headline: Headline, texts: Mapping[str, str]) -> Iterable[str]:
    return (rf"\newcommand{{{headline.command(kind)}}}{{{text}}}" for kind, text in texts.items())


def _records(cell: Result) -> str:
    digests = " ".join(digest[:8] for digest in cell.digests)
    return f"records {digests}" if digests else "no records"


def _number(value: float, results: Results, signed: bool = False) -> str:
    text = number(value, results.unit, signed)
    if text == UNDEFINED:
        return _italic()
    return rf"\ensuremath{{{text}}}" if text[0] in "+-" else text


def _italic(text: str = UNDEFINED) -> str:
    return rf"\textit{{{text}}}"


def _plain(text: str) -> str:
    """Return a comment on one line, of letters that every editor and TeX read alike."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()
