"""`audit`: what published tables can and cannot support."""

import math
from collections.abc import Sequence
from typing import Any

from omnibench.audit.findings import TITLES, findings, probability, runs
from omnibench.audit.implied import Allowed
from omnibench.audit.published import in_order
from omnibench.audit.retest import Effect, Retest, effects
from omnibench.audit.shipped import find_tables
from omnibench.audit.study import FOUR_DECIMALS, Audit, audit_studies
from omnibench.errors import RequestError
from omnibench.terminal import columns, echo, echo_json

ROUNDED = "each run rounded to four decimals first"
UNROUNDED = "runs averaged unrounded"


def audit(names: Sequence[str], margin: float, unrounded: bool, as_json: bool) -> None:
    """Audit the tables of CSVs, folders of them, or shipped studies.

    Args:
        margin: of equivalence, in points.
        unrounded: whether GRIM takes single runs as averaged unrounded.

    Raises:
        RequestError: a table cannot be found or read, or the margin is not above 0.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
    paths = [path for name in names for path in find_tables(name)]
    audits = audit_studies(paths, None if unrounded else FOUR_DECIMALS)
    if as_json:
        echo_json(
            {
                "rows": [_row(entry, audit.decimals) for audit in audits for entry in audit.rows],
                "aggregates": [
                    {
                        "table": _table(aggregate.row.table),
                        "model": aggregate.row.model,
                        "metric": aggregate.row.metric,
                        "spread": aggregate.spread,
                        "n": aggregate.n,
                    }
                    for audit in audits
                    for aggregate in audit.aggregates
                ],
                "comparisons": [_comparison(test) for audit in audits for test in audit.tests],
            }
        )
        return
    for audit in audits:
        _print(audit, effects(audit.tests, margin), margin)


def _row(entry: Allowed, decimals: int | None) -> dict[str, Any]:
    row = entry.row
    tested = entry.n_possible is not None
    return {
        "table": _table(row.table),
        "dataset": row.dataset,
        "model": row.model,
        "metric": row.metric,
        "mean": row.value,
        "std": row.deviation,
        "n_claimed": row.n,
        "n_possible": entry.n_possible,
        "grim": entry.grim,
        "rounding": (UNROUNDED if decimals is None else ROUNDED) if tested else None,
    }


def _comparison(test: Retest) -> dict[str, Any]:
    n = runs(test.n, test.test)
    return {
        "table": _table(test.a.table),
        "dataset": test.a.dataset,
        "metric": test.a.metric,
        "a": test.a.model,
        "b": test.b.model,
        "difference": round(test.a.value - test.b.value, 10),
        "test": test.test,
        "n": int(n) if n.isdecimal() else n,
        "p": None if math.isnan(test.p) else test.p,
        "p_corrected": None if math.isnan(test.p_corrected) else test.p_corrected,
    }


def _table(name: str) -> int | str:
    """Return a table's number, or its name where it has none."""
    return int(name) if name.isdecimal() and name.isascii() and len(name) < 9 else name


def _print(audit: Audit, sizes: Sequence[Effect], margin: float) -> None:
    tables = in_order(entry.row.table for entry in audit.rows)
    echo(f"{audit.study or 'unnamed study'}: table {', '.join(tables)}\n")
    _print_grim(audit)
    _print_aggregates(audit)
    _print_effects(sizes, margin)
    _print_tests(audit)
    for sentence in findings(audit, sizes, margin):
        echo(f"- {sentence}")
    echo()


def _print_grim(audit: Audit) -> None:
    rounding = UNROUNDED if audit.decimals is None else ROUNDED
    rows = [
        (
            entry.row.table,
            entry.row.dataset,
            entry.row.model,
            f"{entry.row.mean} ± {entry.row.std}" if entry.row.std else entry.row.mean,
            entry.row.n,
            ", ".join(map(str, entry.n_possible or [])) or "none",
        )
        for entry in audit.rows
        if entry.grim is False
    ]
    header = ("table", "dataset", "model", "accuracy", "n claimed", "n possible (GRIM)")
    _echo(f"Accuracies that the claimed n makes impossible ({rounding})", rows, header)


def _print_aggregates(audit: Audit) -> None:
    rows = [
        (
            aggregate.row.table,
            aggregate.row.model,
            aggregate.row.metric,
            aggregate.row.std,
            aggregate.spread,
            ", ".join(map(str, aggregate.n)) or "can't be told",
        )
        for aggregate in audit.aggregates
        if aggregate.spread is not None
    ]
    header = ("table", "model", "metric", "±", "what it is", "n")
    _echo("What the ± of an aggregate is", rows, header)


def _print_effects(sizes: Sequence[Effect], margin: float) -> None:
    rows = []
    for effect in sizes:
        answer = effect.test.answer
        if answer is not None:
            rows.append(
                (
                    effect.test.a.dataset,
                    effect.test.b.model,
                    runs(effect.test.n, "welch"),
                    f"{answer.difference:+.2f}",
                    f"[{answer.low:+.2f}, {answer.high:+.2f}]",
                    "-" if math.isnan(answer.effect) else f"{answer.effect:+.2f}",
                    "-" if math.isnan(effect.detectable) else f"{effect.detectable:.2f}",
                    probability(effect.p_equivalent),
                )
            )
    header = ("dataset", "b", "n", "a - b", "95 % (Welch)", "g", "detectable", f"TOST ±{margin:g}")
    _echo("Differences, and what n runs could have detected (80 % power)", rows, header)


def _print_tests(audit: Audit) -> None:
    kinds = sorted({(t.basis, list(TITLES).index(t.test), t.test) for t in audit.tests})
    cells = {(t.a, t.b, t.basis, t.test): t for t in audit.tests}
    heads = []
    for basis, _, kind in kinds:
        alike = [t for t in audit.tests if (t.basis, t.test) == (basis, kind)]
        counts = in_order(runs(t.n, kind) for t in alike)
        heads.append(f"{TITLES[kind]} {f'n={counts[0]}' if len(counts) == 1 else f'{basis} n'}")
    rows = []
    for a, b in dict.fromkeys((t.a, t.b) for t in audit.tests):
        tests = [cells.get((a, b, basis, kind)) for basis, _, kind in kinds]
        p = [f"{probability(t.p)} ({probability(t.p_corrected)})" if t else "-" for t in tests]
        rows.append((f"{a.dataset} {a.metric}", a.model, b.model, *p))
    families = in_order(str(t.family) for t in audit.tests)
    title = f"p, in brackets after Holm over the {' or '.join(families)} comparisons of the study"
    _echo(title, rows, ("dataset", "a", "b", *heads))


def _echo(title: str, rows: Sequence[Sequence[Any]], header: Sequence[str]) -> None:
    if rows:
        echo(f"{title}:\n{columns(rows, header)}\n")
