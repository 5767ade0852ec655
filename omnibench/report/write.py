"""Write a report's files, each at once or not at all."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from omnibench.files import write_atomically
from omnibench.report.build import as_comparisons
from omnibench.report.delimited import to_csv
from omnibench.report.latex import to_latex
from omnibench.report.markdown import to_markdown
from omnibench.report.plain import PlainTable, plain_latex, plain_markdown
from omnibench.report.table import Table


def write_report(
    name: str,
    tables: Sequence[Table],
    comparisons: pd.DataFrame,
    out_dir: Path,
    further: Sequence[Table] = (),
    plain: Sequence[PlainTable] = (),
) -> list[Path]:
    """Write `<name>.tex`, `<name>.csv` and `<name>.md` into out_dir and return their paths.

    Args:
        tables: what LaTeX and Markdown show.
        comparisons: what `compare_pairs` returned; the Markdown says each in a sentence.
        further: what the CSV holds, where that is more than `tables`.
        plain: what LaTeX and Markdown show after all else.

    Raises:
        StoreError: a file cannot be written; what stood there before is unharmed.
    """
    contents = {
        "tex": to_latex(name, tables) + plain_latex(name, plain),
        "csv": to_csv(further or tables),
        "md": to_markdown(name, tables, as_comparisons(comparisons)) + plain_markdown(plain),
    }
    paths = {out_dir / f"{name}.{kind}": text for kind, text in contents.items()}
    for path, text in paths.items():
        write_atomically(path, text.encode())
    return list(paths)
