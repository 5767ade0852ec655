"""What an audit found of a study's claims, one plain sentence each."""

import math
from collections.abc import Iterable, Iterator, Sequence

from omnibench.stats.audit import Audit
from omnibench.stats.effects import Effect
from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.published import in_order
from omnibench.stats.retest import Retest

SIGNIFICANT = 0.05
TITLES = {
    "welch": "Welch", "student": "Student",
    "one-sample": "one-sample t", "prediction": "prediction t",
}  # fmt: skip


def claims(audit: Audit, effects: Sequence[Effect], margin: float) -> Iterator[str]:
    """Yield one sentence for each finding about comparisons."""
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


def _across_definitions(audit: Audit) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[tuple[str, bool]]] = {}
    for contest in audit.contests:
        for row in contest.elsewhere[:1]:
            key = (row.metric, row.definition, contest.best.definition)
            ahead = row.merit > contest.best.merit
            groups.setdefault(key, []).append((row.dataset, ahead))
    for (metric, theirs, ours), places in groups.items():
        better = [dataset for dataset, is_ahead in places if is_ahead]
        more = f" It is the better one on {', '.join(better)}, which shows nothing."
        yield (
            f"Refused: {metric} against the strongest single number cited on "
            f"{', '.join(dataset for dataset, _ in places)}: that is {theirs}, the study's is "
            f"{ours}, and different definitions are never compared.{more if better else ''}"
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
    for (test, _), tests in _families(audit.tests).items():
        answered = [one for one in tests if one.answer]
        if not answered:
            continue
        n = " or ".join(in_order(runs(one.n, test) for one in answered))
        worst = _worst(answered)
        raw = [one for one in worst if one.p < SIGNIFICANT]
        kept = [one for one in raw if one.p_corrected < SIGNIFICANT]
        lost = [one for one in raw if one.p_corrected >= SIGNIFICANT]
        sentence = (
            f"{TITLES[test]}, n = {n}: uncorrected p < .05 on {len(raw)} of {len(worst)} "
            f"{_things(worst)} shown"
        )
        if raw:
            sentence += f"; after Holm over the study's {answered[0].family} it stays on "
            sentence += _listed(kept, worst) or "none"
        yield f"{sentence}, and is lost on {_listed(lost, worst)}." if lost else f"{sentence}."


def _worst(tests: Iterable[Retest]) -> list[Retest]:
    """Of tied rivals in one contest, the one with the largest p speaks for it."""
    contests: dict[tuple[str, ...], list[Retest]] = {}
    for one in tests:
        contests.setdefault(_contest(one), []).append(one)
    return [max(some, key=lambda one: one.p) for some in contests.values()]


def _contest(one: Retest) -> tuple[str, ...]:
    return one.a.table, one.a.dataset, one.a.metric, one.a.definition


def _things(tests: Sequence[Retest]) -> str:
    """What contests are called: by their datasets, unless one of these has several."""
    datasets = {one.a.dataset for one in tests}
    return "datasets" if len(datasets) == len({_contest(one) for one in tests}) else "comparisons"


def _place(one: Retest, tests: Sequence[Retest]) -> str:
    named = _things(tests) == "comparisons"
    return f"{one.a.dataset} {one.a.metric}" if named else one.a.dataset


def _listed(tests: Sequence[Retest], among: Sequence[Retest]) -> str:
    return ", ".join(
        f"{_place(one, among)} ({'ahead' if one.a.merit > one.b.merit else 'BEHIND'}, "
        f"p {probability(one.p_corrected)})"
        for one in tests
    )


def _families(tests: Iterable[Retest]) -> dict[tuple[str, str], list[Retest]]:
    groups: dict[tuple[str, str], list[Retest]] = {}
    for one in sorted(tests, key=lambda one: one.basis):  # claimed before implied
        groups.setdefault((one.test, one.basis), []).append(one)
    return groups


def _single(audit: Audit) -> Iterator[str]:
    if any(one.test == "one-sample" for one in audit.tests):
        yield (
            "A one-sample t-test takes a single published run as known exactly; at a nominal 5 % "
            "it errs in 16 % (n = 3), 32 % (n = 5), 51 % (n = 10). Read the prediction t instead."
        )


def _equivalence(effects: Sequence[Effect], margin: float) -> Iterator[str]:
    bases = in_order(one.test.basis for one in effects)
    for basis in bases:
        open_ = [
            one
            for one in effects
            if one.test.basis == basis
            and not one.test.p_corrected < SIGNIFICANT
            and not math.isnan(one.p_equivalent)
        ]
        if not open_:
            continue
        n = " or ".join(in_order(runs(one.test.n, "welch") for one in open_))
        tests = [one.test for one in open_]
        failed = {_place(o.test, tests) for o in open_ if o.p_equivalent >= SIGNIFICANT}
        datasets = in_order(_place(one, tests) for one in tests)
        shown = [name for name in datasets if name not in failed]
        yield (
            f'No difference shown is not "matches": at n = {n} equivalence within ±{margin:g} '
            f"points (TOST, uncorrected) is shown on {', '.join(shown) or 'none'} of the "
            f"{len(datasets)} {_things(tests)} without a significant difference"
            f"{'; not on ' + ', '.join(n for n in datasets if n in failed) if failed else ''}."
        )


def _power(audit: Audit) -> Iterator[str]:
    if any(one.test == "welch" for one in audit.tests):
        counts = [n for n in (audit.claimed, audit.implied) if n is not None]
        sizes = ", ".join(f"{minimum_detectable_effect(n):.2f} SD at n = {n}" for n in counts)
        yield f"Power: of one pair, uncorrected, 80 % power needs a true difference of {sizes}."
