"""Write a report's files, each at once or not at all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from omnibench.files import write_atomically
from omnibench.report.delimited import to_csv
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.plain import PlainTable, plain_latex, plain_markdown
from omnibench.report.table import Table
from omnibench.stats.pair import Comparison


def write_report(
    name: str,
    tables: Sequence[Table],
    comparisons: Sequence[Comparison],
    out_dir: Path,
    further: Sequence[Table] = (),
    plain: Sequence[PlainTable] = (),
    correction: str = "holm",
    equivalence: Mapping[Comparison, bool] | None = None,
) -> list[Path]:
    """Write `<name>.tex`, `<name>.csv` and `<name>.md` into out_dir and return their paths.

    Args:
        tables: what LaTeX and Markdown show.
        comparisons: the Markdown says each in a sentence.
        further: what the CSV holds, where that is more than `tables`.
        plain: what LaTeX and Markdown show after all else.
        correction: of the comparisons' p-values.
        equivalence: whether it is shown within the suite's margin, where that was asked.

    Raises:
        StoreError: a file cannot be written; what stood there before is unharmed.
    """
    contents = {
        "tex": to_latex(name, tables) + plain_latex(name, plain),
        "csv": to_csv(further or tables),
        "md": to_markdown(name, tables, comparisons, correction, equivalence)
        + plain_markdown(plain),
    }
    paths = {out_dir / f"{name}.{kind}": text for kind, text in contents.items()}
    for path, text in paths.items():
        write_atomically(path, text.encode())
    return list(paths)
