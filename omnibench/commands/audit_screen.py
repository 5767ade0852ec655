"""The screen of `audit`: tables of what printed numbers allow and show, then sentences."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from omnibench.audit.counts import Count, CountTest, Interval
from omnibench.audit.findings import findings
from omnibench.audit.published import Row, in_order
from omnibench.audit.retest import WHAT_IF, Effect, Retest, effects
from omnibench.audit.rounding import Bounds
from omnibench.audit.study import Audit
from omnibench.audit.uncertainty import RUNS, decimals
from omnibench.audit.verdicts import TITLES, probability, runs, span
from omnibench.terminal import columns, echo

ROUNDED = "each run rounded to four decimals first"
UNROUNDED = "runs averaged unrounded"

_OVER_RUNS = "over runs, on these test images"
# Decimals of a difference where the table prints fewer: .01 points.
_DECIMALS = {"fraction": 4}


def show(audit: Audit, margin: float) -> None:
    """Print one audit.

    Args:
        margin: of equivalence, in points.
    """
    sizes = effects(audit.tests, margin)
    tables = in_order(entry.row.table for entry in audit.rows)
    echo(f"{audit.study or 'unnamed study'}: table {', '.join(tables)}\n")
    if audit.assumed:
        echo("Assumed:\n" + "\n".join(f"- {sentence}" for sentence in audit.assumed) + "\n")
    _show_grim(audit)
    _show_aggregates(audit)
    _show_effects(sizes, margin)
    over_runs = [test for test in audit.tests if test.over == RUNS and not test.is_assumed]
    _show_tests(over_runs, _OVER_RUNS)
    _show_what_if([test for test in audit.tests if test.is_assumed])
    _show_tests([test for test in audit.tests if test.over != RUNS], "over test images")
    _show_counts(audit.counts)
    _show_count_tests(audit.count_tests)
    for sentence in findings(audit, sizes, margin):
        echo(f"- {sentence}")
    echo()


def _show_grim(audit: Audit) -> None:
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


def _show_aggregates(audit: Audit) -> None:
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


def _show_effects(sizes: Sequence[Effect], margin: float) -> None:
    rows = []
    against = len({effect.test.a.model for effect in sizes}) > 1 and _are_pairs(
        [effect.test for effect in sizes]
    )
    for effect in sizes:
        answer = effect.test.answer
        if answer is not None:
            digits = _digits(effect.test.a, effect.test.b)
            rows.append(
                (
                    effect.test.a.dataset,
                    *((effect.test.a.model,) if against else ()),
                    effect.test.b.model,
                    runs(effect.test.n, "welch"),
                    f"{answer.difference:+.{digits}f}",
                    f"[{answer.low:+.{digits}f}, {answer.high:+.{digits}f}]",
                    "-" if math.isnan(answer.effect) else f"{answer.effect:+.2f}",
                    "-" if math.isnan(effect.detectable) else f"{effect.detectable:.{digits}f}",
                    probability(effect.p_equivalent),
                )
            )
    models = ("a", "b") if against else ("b",)
    header = (
        *("dataset", *models, "n", "a - b", "95 % (Welch)", "g", "detectable"),
        f"TOST ±{margin:g}",
    )
    _echo(
        f"Differences, and what n runs could have detected (80 % power; {_OVER_RUNS})", rows, header
    )


def _show_tests(tests: Sequence[Retest], over: str) -> None:
    """Print p as printed digits give it, then over all digits that print so."""
    kinds = sorted({(t.basis, list(TITLES).index(t.test), t.test) for t in tests})
    cells = {(t.contest, t.a, t.b, t.basis, t.test): t for t in tests}
    heads = []
    for basis, _, kind in kinds:
        counts = in_order(runs(t.n, kind) for t in tests if (t.basis, t.test) == (basis, kind))
        n = f"n={counts[0]}" if len(counts) == 1 else f"{basis} n"
        heads.append(TITLES[kind] if over != _OVER_RUNS else f"{TITLES[kind]} {n}")
    exact, spans = [], []
    for contest, a, b in dict.fromkeys((t.contest, t.a, t.b) for t in tests):
        alike = [cells.get((contest, a, b, basis, kind)) for basis, _, kind in kinds]
        names = (f"{a.dataset} {a.metric}", a.model, b.model)
        sizes = () if over == _OVER_RUNS else _size(a, b, alike)
        exact.append((*names, *sizes, *(_exact(test) for test in alike)))
        spans.append((*names, *(_spans(test) for test in alike)))
    families = " or ".join(in_order(str(t.family) for t in tests if t.family)) or "0"
    header = ("dataset", "a", "b", *heads)
    sized = header if over == _OVER_RUNS else (*header[:3], "a - b", "95 %", *heads)
    holm = f"in brackets after Holm over the {families} comparisons of the study"
    _echo(f"p, {holm} ({over})", exact, sized)
    _echo(f"p over all means and spreads that print so, {holm} ({over})", spans, header)


def _size(a: Row, b: Row, tests: Iterable[Retest | None]) -> tuple[str, str]:
    """Return the difference and its interval, where a test has one."""
    digits = _digits(a, b)
    answer = next((test.answer for test in tests if test and test.answer), None)
    interval = f"[{answer.low:+.{digits}f}, {answer.high:+.{digits}f}]" if answer else "-"
    return f"{a.value - b.value:+.{digits}f}", interval


def _exact(test: Retest | None) -> str:
    return f"{probability(test.p)} ({probability(test.p_corrected)})" if test else "-"


def _spans(test: Retest | None) -> str:
    if test is None or math.isnan(test.bounds.largest):
        return "-"
    return f"{span(test.bounds)} ({span(test.bounds_corrected)})"


def _show_what_if(tests: Sequence[Retest]) -> None:
    """Print what some n would show where none is stated, by Welch's t or the prediction t."""
    shown = [test for test in tests if test.test in ("welch", "prediction")]
    cells = {(t.contest, t.a, t.b, t.basis): t for t in shown}
    rows = [
        (
            f"{a.dataset} {a.metric}",
            a.model,
            b.model,
            f"{a.value - b.value:+.{_digits(a, b)}f}",
            "-",
            *(_exact(cells.get((contest, a, b, f"assumed {n}"))) for n in WHAT_IF),
            *(_spans(cells.get((contest, a, b, f"assumed {WHAT_IF[-2]}"))),),
        )
        for contest, a, b in dict.fromkeys((t.contest, t.a, t.b) for t in shown)
    ]
    names = " or ".join(in_order(TITLES[test.test] for test in shown))
    heads = ("n=1", *(f"n={n}" for n in WHAT_IF), f"n={WHAT_IF[-2]}, all digits")
    _echo(
        f"What if: n is not stated, each n here is assumed; p ({names}), in brackets after Holm "
        f"({_OVER_RUNS})",
        rows,
        ("dataset", "a", "b", "a - b", *heads),
    )


def _show_counts(counts: Iterable[Count]) -> None:
    rows = [
        (
            count.row.dataset,
            count.row.model,
            count.row.mean,
            str(count.least) if count.least == count.most else f"{count.least}-{count.most}",
            str(count.images),
            _interval(count.interval, count.row, sign=""),
        )
        for count in counts
    ]
    header = ("dataset", "model", "accuracy", "k", "of images", "95 % (Wilson)")
    _echo("Single accuracies as k of N test images (over test images)", rows, header)


def _show_count_tests(tests: Iterable[CountTest]) -> None:
    rows = []
    for test in tests:
        a, b = test.a.row, test.b.row
        apart = "-" if test.apart is None else "-".join(map(str, dict.fromkeys(test.apart)))
        rows.append(
            (
                a.dataset,
                a.model,
                b.model,
                f"{a.value - b.value:+.{_digits(a, b)}f}",
                _interval(test.interval, a),
                f"{span(test.fisher)} ({span(test.corrected)})",
                apart,
                _possible(test.mid),
                _possible(test.exact),
            )
        )
    header = (
        *("dataset", "a", "b", "a - b", "95 % (Newcombe)", "Fisher p (Holm)", "images apart"),
        *("McNemar mid-p", "McNemar exact p"),
    )
    _echo(
        "Two single accuracies over test images: unpaired; and the least and largest p that "
        "pairing could have given",
        rows,
        header,
    )


def _possible(bounds: Bounds | None) -> str:
    if bounds is None:
        return "-"
    return f"{probability(bounds.least)} to {probability(bounds.largest)}"


def _interval(interval: Interval, row: Row, sign: str = "+") -> str:
    scale, digits = (1, 4) if row.unit == "fraction" else (100, 2)
    low, high = (f"{scale * bound:{sign}.{digits}f}" for bound in interval)
    return f"[{low}, {high}]"


def _digits(a: Row, b: Row) -> int:
    """Return the decimals of a difference: as printed, and enough for the unit."""
    return max(decimals(a.mean), decimals(b.mean), _DECIMALS.get(a.unit, 2))


def _are_pairs(tests: Iterable[Retest]) -> bool:
    """Tell whether a dataset and metric have several contests, so that `a` has to be named."""
    contests = {test.contest: (test.a.table, test.a.dataset, test.a.metric) for test in tests}
    return len(set(contests.values())) < len(contests)


def _echo(title: str, rows: Sequence[Sequence[Any]], header: Sequence[str]) -> None:
    if rows:
        echo(f"{title}:\n{columns(rows, header)}\n")
