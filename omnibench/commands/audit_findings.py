"""What an audit found, one plain sentence each: of the printed numbers first, then of claims."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from omnibench.commands.audit_claims import claims
from omnibench.stats.aggregates import NONE_FITS
from omnibench.stats.audit import FOUR_DECIMALS, Audit
from omnibench.stats.effects import Effect
from omnibench.stats.implied import Aggregate, by_table, fits
from omnibench.stats.published import Row, in_order


def findings(audit: Audit, effects: Sequence[Effect], margin: float) -> Iterator[str]:
    """Yield one sentence for each finding, what is printed first, what is claimed last."""
    yield from _counted(audit)
    yield from _aggregates(audit)
    yield from _implied(audit)
    yield from _untestable(audit)
    yield from claims(audit, effects, margin)


def _counted(audit: Audit) -> Iterator[str]:
    """GRIM, under both roundings of the single runs."""
    claimed = audit.claimed
    rows = [one.row for one in audit.rows if one.decided and one.row.n == claimed]
    if not rows or claimed is None:
        return
    names = {FOUR_DECIMALS: "each run was rounded to four decimals first", None: "none was"}
    impossible = [f"{len(rows) - _fitting(rows, claimed, d)} if {names[d]}" for d in names]
    yield (
        f"GRIM: {by_table(rows)}: of the {len(rows)} accuracies that test it (k of so few images), "
        f"n = {claimed} makes impossible {', '.join(impossible)}."
    )
    for n in in_order(str(n) for n in (audit.implied, claimed) if n is not None):
        mean, both = (
            " or ".join(str(_fitting(rows, int(n), d, with_std)) for d in names)
            for with_std in (False, True)
        )
        yield (
            f"GRIM: n = {n} allows {mean} of the {len(rows)} means (rounded or not); GRIMMER: "
            f"{both} together with their ± (ddof 1 or 0)."
        )


def _fitting(rows: Iterable[Row], n: int, decimals: int | None, with_std: bool = False) -> int:
    return sum(fits(row, n, decimals, with_std) for row in rows)


def _aggregates(audit: Audit) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Aggregate]] = {}
    for one in audit.aggregates:
        groups.setdefault((one.row.table, one.row.metric), []).append(one)
    for (table, metric), rows in groups.items():
        told = [one for one in rows if one.spread is not None]
        if not told:
            yield (
                f"Table {table}, {metric}: what the ± is can't be told, as Tables "
                f"{', '.join(rows[0].row.members)} hold no {metric} with its ±."
            )
            continue
        for spread, count in Counter(str(one.spread) for one in told).most_common():
            alike = [one for one in told if one.spread == spread]
            if spread == NONE_FITS:
                names = ", ".join(f"{one.row.model} ({one.row.std})" for one in alike)
                yield f"Table {table}, {metric}: no reading of the ± fits {names}."
                continue
            ns = sorted({n for one in alike for n in one.n})
            runs = f" with n = {', '.join(map(str, ns))}" if ns else ""
            yield (
                f"Table {table}, {metric}: the ± is {spread}, of {alike[0].datasets} "
                f"datasets{runs}, in {count} of {len(told)} rows."
            )
        for one in told:
            if not one.mean_follows:
                yield (
                    f"Table {table}, {metric}: the mean of {one.row.model} ({one.row.mean}) is "
                    "not that of its datasets."
                )


def _implied(audit: Audit) -> Iterator[str]:
    if audit.implied is not None:
        yield (
            f"The study claims n = {audit.claimed}; its printed numbers imply n = {audit.implied}. "
            "Tests are given for both."
        )


def _untestable(audit: Audit) -> Iterator[str]:
    tables: dict[str, list[Row]] = {}
    for one in audit.rows:
        if one.row.role != "cited":
            tables.setdefault(one.row.table, []).append(one.row)
    for table, rows in tables.items():
        bare = [row for row in rows if not row.std]
        if bare:
            yield (
                f"Table {table}: {len(bare)} of {len(rows)} numbers are printed without ±, so "
                "nothing about them can be tested."
            )
