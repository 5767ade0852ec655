"""Say what an audit shows, one plain sentence each: first of printed numbers, then of claims."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from omnibench.audit.implied import Aggregate, by_table, fits
from omnibench.audit.published import Row, in_order
from omnibench.audit.retest import Effect, Retest
from omnibench.audit.spreads import NONE_FITS
from omnibench.audit.study import FOUR_DECIMALS, Audit
from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.result import ALPHA

TITLES = {
    "welch": "Welch", "student": "Student",
    "one-sample": "one-sample t", "prediction": "prediction t",
}  # fmt: skip


def findings(audit: Audit, effects: Sequence[Effect], margin: float) -> Iterator[str]:
    """Yield one sentence for each finding.

    Args:
        effects: of the audit's tests.
        margin: of equivalence, in points.
    """
    yield from _counted(audit)
    yield from _aggregates(audit)
    yield from _implied(audit)
    yield from _untestable(audit)
    yield from _across_definitions(audit)
    yield from _picked(audit)
    yield from _significance(audit)
    yield from _single(audit)
    yield from _equivalence(effects, margin)
    yield from _power(audit)
    for test in audit.tests:
        if test.note:
            yield f"Not tested: {test.a.dataset}, {TITLES[test.test]}: {test.note}."


def probability(p: float) -> str:
    """Return p as in ".035"; four decimals below .01; "-" for a test that was refused."""
    if math.isnan(p):
        return "-"
    if p < 0.00005:
        return "<.0001"
    text = f"{p:.3f}" if p >= 0.01 else f"{p:.4f}"
    return text.removeprefix("0") if p < 0.9995 else "1"


def runs(n: tuple[int, int], test: str) -> str:
    """Return "5", or "5/3" where the two differ; a single number has no n of its own."""
    same = n[0] == n[1] or test in ("one-sample", "prediction")
    return str(n[0]) if same else f"{n[0]}/{n[1]}"


def _counted(audit: Audit) -> Iterator[str]:
    """Yield what GRIM says, under both roundings of the single runs."""
    claimed = audit.claimed
    rows = [entry.row for entry in audit.rows if entry.decided and entry.row.n == claimed]
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
    for aggregate in audit.aggregates:
        groups.setdefault((aggregate.row.table, aggregate.row.metric), []).append(aggregate)
    for (table, metric), aggregates in groups.items():
        known = [aggregate for aggregate in aggregates if aggregate.spread is not None]
        if not known:
            yield (
                f"Table {table}, {metric}: what the ± is can't be told, as Tables "
                f"{', '.join(aggregates[0].row.members)} hold no {metric} with its ±."
            )
            continue
        for spread, count in Counter(str(aggregate.spread) for aggregate in known).most_common():
            alike = [aggregate for aggregate in known if aggregate.spread == spread]
            if spread == NONE_FITS:
                names = ", ".join(f"{a.row.model} ({a.row.std})" for a in alike)
                yield f"Table {table}, {metric}: no reading of the ± fits {names}."
                continue
            ns = sorted({n for aggregate in alike for n in aggregate.n})
            with_runs = f" with n = {', '.join(map(str, ns))}" if ns else ""
            yield (
                f"Table {table}, {metric}: the ± is {spread}, of {alike[0].datasets} "
                f"datasets{with_runs}, in {count} of {len(known)} rows."
            )
        for aggregate in known:
            if not aggregate.mean_follows:
                yield (
                    f"Table {table}, {metric}: the mean of {aggregate.row.model} "
                    f"({aggregate.row.mean}) is not that of its datasets."
                )


def _implied(audit: Audit) -> Iterator[str]:
    if audit.implied is not None:
        yield (
            f"The study claims n = {audit.claimed}; its printed numbers imply n = {audit.implied}. "
            "Tests are given for both."
        )


def _untestable(audit: Audit) -> Iterator[str]:
    tables: dict[str, list[Row]] = {}
    for entry in audit.rows:
        if entry.row.role != "cited":
            tables.setdefault(entry.row.table, []).append(entry.row)
    for table, rows in tables.items():
        bare = [row for row in rows if not row.std]
        if bare:
            yield (
                f"Table {table}: {len(bare)} of {len(rows)} numbers are printed without ±, so "
                "nothing about them can be tested."
            )


def _across_definitions(audit: Audit) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[tuple[str, bool]]] = {}
    for contest in audit.contests:
        for row in contest.elsewhere[:1]:
            key = (row.metric, row.definition, contest.best.definition)
            ahead = row.merit > contest.best.merit
            groups.setdefault(key, []).append((row.dataset, ahead))
    for (metric, cited, own), places in groups.items():
        better = [dataset for dataset, is_ahead in places if is_ahead]
        more = f" It is the better one on {', '.join(better)}, which shows nothing."
        yield (
            f"Refused: {metric} against the strongest single number cited on "
            f"{', '.join(dataset for dataset, _ in places)}: that is {cited}, the study's is "
            f"{own}, and different definitions are never compared.{more if better else ''}"
        )


def _picked(audit: Audit) -> Iterator[str]:
    groups: dict[int, list[str]] = {}
    for contest in audit.contests:
        if len(contest.own) > 1 and contest.rivals:
            groups.setdefault(len(contest.own), []).append(contest.best.dataset)
    for count, datasets in groups.items():
        yield (
            f"Best variant picked on the test set: on {', '.join(datasets)} `a` is the best of "
            f"{count} variants by the test score itself, so its lead and p are too good."
        )
    for contest in audit.contests:
        names = [row.model for row in contest.rivals if row.role == "rerun"]
        if len(names) > 1:
            yield (
                f"{contest.best.dataset}: {' and '.join(names)} are tied as the strongest; in a "
                "family the dataset counts once, with the larger p."
            )


def _significance(audit: Audit) -> Iterator[str]:
    families: dict[tuple[str, str], list[Retest]] = {}
    for test in sorted(audit.tests, key=lambda test: test.basis):  # claimed before implied
        families.setdefault((test.test, test.basis), []).append(test)
    for (name, _), tests in families.items():
        answered = [test for test in tests if test.answer]
        if not answered:
            continue
        n = " or ".join(in_order(runs(test.n, name) for test in answered))
        worst = _worst(answered)
        raw = [test for test in worst if test.p < ALPHA]
        still = [test for test in raw if test.p_corrected < ALPHA]
        lost = [test for test in raw if test.p_corrected >= ALPHA]
        sentence = (
            f"{TITLES[name]}, n = {n}: uncorrected p < .05 on {len(raw)} of {len(worst)} "
            f"{_things(worst)} shown"
        )
        if raw:
            sentence += f"; after Holm over the study's {answered[0].family} it stays on "
            sentence += _listed(still, worst) or "none"
        yield f"{sentence}, and is lost on {_listed(lost, worst)}." if lost else f"{sentence}."


def _worst(tests: Iterable[Retest]) -> list[Retest]:
    """Return one test for each contest: of tied rivals the one with the largest p."""
    contests: dict[tuple[str, ...], list[Retest]] = {}
    for test in tests:
        contests.setdefault(_contest(test), []).append(test)
    return [max(tied, key=lambda test: test.p) for tied in contests.values()]


def _contest(test: Retest) -> tuple[str, ...]:
    return test.a.table, test.a.dataset, test.a.metric, test.a.definition


def _things(tests: Sequence[Retest]) -> str:
    """Return what contests are called: "datasets", unless a dataset has several."""
    datasets = {test.a.dataset for test in tests}
    return "datasets" if len(datasets) == len({_contest(test) for test in tests}) else "comparisons"


def _place(test: Retest, tests: Sequence[Retest]) -> str:
    named = _things(tests) == "comparisons"
    return f"{test.a.dataset} {test.a.metric}" if named else test.a.dataset


def _listed(tests: Sequence[Retest], among: Sequence[Retest]) -> str:
    return ", ".join(
        f"{_place(test, among)} ({'ahead' if test.a.merit > test.b.merit else 'BEHIND'}, "
        f"p {probability(test.p_corrected)})"
        for test in tests
    )


def _single(audit: Audit) -> Iterator[str]:
    if any(test.test == "one-sample" for test in audit.tests):
        yield (
            "A one-sample t-test takes a single published run as known exactly; at a nominal 5 % "
            "it errs in 16 % (n = 3), 32 % (n = 5), 51 % (n = 10). Read the prediction t instead."
        )


def _equivalence(effects: Sequence[Effect], margin: float) -> Iterator[str]:
    for basis in in_order(effect.test.basis for effect in effects):
        undecided = [
            effect
            for effect in effects
            if effect.test.basis == basis
            and not effect.test.p_corrected < ALPHA
            and not math.isnan(effect.p_equivalent)
        ]
        if not undecided:
            continue
        n = " or ".join(in_order(runs(effect.test.n, "welch") for effect in undecided))
        tests = [effect.test for effect in undecided]
        failed = {_place(e.test, tests) for e in undecided if e.p_equivalent >= ALPHA}
        datasets = in_order(_place(test, tests) for test in tests)
        shown = [name for name in datasets if name not in failed]
        yield (
            f'No difference shown is not "matches": at n = {n} equivalence within ±{margin:g} '
            f"points (TOST, uncorrected) is shown on {', '.join(shown) or 'none'} of the "
            f"{len(datasets)} {_things(tests)} without a significant difference"
            f"{'; not on ' + ', '.join(n for n in datasets if n in failed) if failed else ''}."
        )


def _power(audit: Audit) -> Iterator[str]:
    if any(test.test == "welch" for test in audit.tests):
        counts = [n for n in (audit.claimed, audit.implied) if n is not None]
        sizes = ", ".join(f"{minimum_detectable_effect(n):.2f} SD at n = {n}" for n in counts)
        yield f"Power: of one pair, uncorrected, 80 % power needs a true difference of {sizes}."
