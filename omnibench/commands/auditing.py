"""`audit`: what published tables can and cannot support."""

import math
from collections.abc import Sequence
from typing import Any

from omnibench.audit.counts import Count, CountTest
from omnibench.audit.facts import Facts
from omnibench.audit.implied import Allowed
from omnibench.audit.retest import Retest
from omnibench.audit.rounding import Bounds
from omnibench.audit.shipped import find_tables
from omnibench.audit.study import FOUR_DECIMALS, Audit, audit_studies
from omnibench.audit.verdicts import runs
from omnibench.commands.audit_screen import ROUNDED, UNROUNDED, show
from omnibench.errors import RequestError
from omnibench.terminal import echo_json


def audit(
    names: Sequence[str], margin: float, unrounded: bool, against: str, facts: Facts, as_json: bool
) -> None:
    """Audit the tables of files, folders of CSVs, or shipped studies.

    Args:
        margin: of equivalence, in points.
        unrounded: whether GRIM takes single runs as averaged unrounded.
        against: the model that the others are compared with; "" for none.
        facts: what stands for what the tables leave out.

    Raises:
        RequestError: a table cannot be found or read, or the margin is not above 0.
    """
    if not (margin > 0 and math.isfinite(margin)):
        raise RequestError(f"--margin: {margin:g} is not a number of points above 0")
    paths = [path for name in names for path in find_tables(name)]
    audits = audit_studies(paths, None if unrounded else FOUR_DECIMALS, facts, against)
    if as_json:
        echo_json(_json(audits))
        return
    for study in audits:
        show(study, margin)


def _json(audits: Sequence[Audit]) -> dict[str, Any]:
    return {
        "assumed": list(dict.fromkeys(text for audit in audits for text in audit.assumed)),
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
        "counts": [_count(count) for audit in audits for count in audit.counts],
        "count_comparisons": [_counted(test) for audit in audits for test in audit.count_tests],
    }


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
        "p": _number(test.p),
        "p_corrected": _number(test.p_corrected),
        "n_is": test.basis.split()[0],
        "over": test.over,
        "p_range": _pair(test.bounds),
        "p_corrected_range": _pair(test.bounds_corrected),
    }


def _count(count: Count) -> dict[str, Any]:
    return {
        "table": _table(count.row.table),
        "dataset": count.row.dataset,
        "model": count.row.model,
        "k": [count.least, count.most],
        "images": count.images,
        "wilson": list(count.interval),
    }


def _counted(test: CountTest) -> dict[str, Any]:
    return {
        "table": _table(test.a.row.table),
        "dataset": test.a.row.dataset,
        "a": test.a.row.model,
        "b": test.b.row.model,
        "newcombe": list(test.interval),
        "fisher": _pair(test.fisher),
        "fisher_corrected": _pair(test.corrected),
        "images_apart": list(test.apart) if test.apart else None,
        "mcnemar_mid": _pair(test.mid),
        "mcnemar_exact": _pair(test.exact),
    }


def _pair(bounds: Bounds | None) -> list[float] | None:
    return None if bounds is None or math.isnan(bounds.largest) else list(bounds)


def _number(p: float) -> float | None:
    return None if math.isnan(p) else p


def _table(name: str) -> int | str:
    """Return a table's number, or its name where it has none."""
    return int(name) if name.isdecimal() and name.isascii() and len(name) < 9 else name
