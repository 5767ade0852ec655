r"""The best mean of each column in a sentence, its numbers by the commands of `headlines.tex`."""

from collections.abc import Iterable, Sequence

from omnibench.report.fitted import breakable
from omnibench.report.headlines import Headline
from omnibench.report.latex import escape


def by_column(numbers: Iterable[Headline]) -> list[list[Headline]]:
    """Return the finished cells of each task and dataset."""
    columns: dict[tuple[str, str], list[Headline]] = {}
    for one in numbers:
        if one.cell.state == "done":
            columns.setdefault((one.table.task, one.column), []).append(one)
    return list(columns.values())


def best_of(column: Sequence[Headline]) -> str:
    """Return LaTeX: the best mean, its difference from the baseline, and who is tied with it.

    Args:
        column: finished cells of one dataset, at least one.
    """
    table, dataset = column[0].table, column[0].column
    choose = min if table.lower_is_better else max
    best = choose(column, key=lambda one: one.cell.mean)
    said = breakable(
        f"{table.task}, {dataset}, {table.metric}: {best.row.backbone} ({best.row.adaptation}) with"
    )
    said += f" {best.command('Mean')}{{}}"
    said += rf" $\pm$ {best.command('Std')}{{}}" if best.cell.std is not None else ""
    said += f" {escape(table.unit)}"
    against = best.cell.against
    if against is not None and against.test != "none":
        said += (
            f"; difference from {breakable(str(table.baseline))}: {best.command('Difference')}{{}} "
            f"[{best.command('Low')}, {best.command('High')}], corrected $p$ {best.command('P')}"
        )
    tied = [one.row for one in column if one.cell.leading and one is not best]
    if tied:
        names = ", ".join(f"{row.backbone} ({row.adaptation})" for row in tied)
        said += breakable(f"; not told apart from it: {names}")
    return f"{said}."
