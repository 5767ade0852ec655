"""Say what tests of published numbers show, one plain sentence each."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from omnibench.audit.published import in_order
from omnibench.audit.retest import Effect, Retest
from omnibench.audit.rounding import Bounds
from omnibench.audit.study import Audit
from omnibench.audit.uncertainty import IMAGES, RUNS
from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.result import ALPHA

TITLES = {
    "welch": "Welch", "student": "Student",
    "one-sample": "one-sample t", "prediction": "prediction t", "normal": "z",
}  # fmt: skip


MOST_NAMED = 12


def verdicts(audit: Audit, effects: Sequence[Effect], margin: float) -> Iterator[str]:
    """Yield one sentence for each thing that the tests show.

    Args:
        effects: of the audit's tests.
        margin: of equivalence, in points.
    """
    yield from _significance(audit)
    yield from _unsettled(audit)
    yield from _single(audit)
    yield from _equivalence(effects, margin)
    yield from _power(audit)
    yield from _over(audit)
    yield from _refused(audit)


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


def span(bounds: Bounds) -> str:
    """Return bounds of p as in ".031-.045"; one number where both print alike."""
    least, largest = probability(bounds.least), probability(bounds.largest)
    return least if least == largest else f"{least}-{largest}"


def _significance(audit: Audit) -> Iterator[str]:
    families: dict[tuple[str, str], list[Retest]] = {}
    tested = [test for test in audit.tests if not test.is_assumed]
    for test in sorted(tested, key=lambda test: test.basis):  # claimed before implied
        families.setdefault((test.test, test.basis), []).append(test)
    for (name, _), tests in families.items():
        answered = [test for test in tests if test.answer]
        if not answered:
            continue
        n = " or ".join(in_order(runs(test.n, name) for test in answered))
        of = f", n = {n}" if answered[0].over == RUNS else ", over images"
        worst = _worst(answered)
        places = _Places(worst)
        raw = [test for test in worst if test.p < ALPHA]
        still = [test for test in raw if test.p_corrected < ALPHA]
        lost = [test for test in raw if test.p_corrected >= ALPHA]
        sentence = (
            f"{TITLES[name]}{of}: uncorrected p < .05 on {len(raw)} of {len(worst)} "
            f"{places.things} shown"
        )
        if raw:
            sentence += f"; after Holm over the study's {answered[0].family} it stays on "
            sentence += _listed(still, places) or "none"
        yield f"{sentence}, and is lost on {_listed(lost, places)}." if lost else f"{sentence}."


def _worst(tests: Iterable[Retest]) -> list[Retest]:
    """Return one test for each contest: of tied rivals the one with the largest p."""
    contests: dict[int, list[Retest]] = {}
    for test in tests:
        contests.setdefault(test.contest, []).append(test)
    return [max(tied, key=lambda test: test.p) for tied in contests.values()]


class _Places:
    """Names contests: a dataset; its metric too, and both models, where that does not tell them."""

    def __init__(self, tests: Sequence[Retest]) -> None:
        contests = {test.contest: test for test in tests}
        metrics = Counter((test.a.dataset, test.a.metric) for test in contests.values())
        self.are_datasets = len({test.a.dataset for test in tests}) == len(contests)
        self._are_pairs = any(count > 1 for count in metrics.values())

    @property
    def things(self) -> str:
        return "datasets" if self.are_datasets else "comparisons"

    def name(self, test: Retest) -> str:
        if self.are_datasets:
            return test.a.dataset
        models = f": {test.a.model} - {test.b.model}" if self._are_pairs else ""
        return f"{test.a.dataset} {test.a.metric}{models}"


def few(names: Sequence[str]) -> str:
    """Return names in a row, the first twelve of many."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _listed(tests: Sequence[Retest], places: _Places) -> str:
    return few(
        [
            f"{places.name(test)} ({'ahead' if test.a.merit > test.b.merit else 'BEHIND'}, "
            f"p {probability(test.p_corrected)}{'' if test.is_settled else ', open'})"
            for test in tests
        ]
    )


def _unsettled(audit: Audit) -> Iterator[str]:
    """Yield the verdicts that turn within the digits not printed."""
    families: dict[tuple[str, str], list[Retest]] = {}
    for test in audit.tests:
        if not test.is_assumed and not math.isnan(test.bounds.largest):
            families.setdefault((test.test, test.basis), []).append(test)
    for (name, _), tests in families.items():
        places = _Places(tests)
        unsettled = [
            f"{places.name(test)} (p {span(test.bounds_corrected)})"
            for test in tests
            if not test.is_settled
        ]
        n = " or ".join(in_order(runs(test.n, name) for test in tests))
        over = f"n = {n}" if tests[0].over == RUNS else "over images"
        if unsettled:
            yield (
                f"Rounding, {TITLES[name]}, {over}: the digits not printed leave open whether p "
                f"after Holm is below .05 on {few(in_order(unsettled))}; the other verdicts hold "
                "for all digits that print so."
            )
        else:
            yield (
                f"Rounding, {TITLES[name]}, {over}: every verdict holds for all digits that print "
                "so."
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
        places = _Places(tests)
        failed = {places.name(e.test) for e in undecided if e.p_equivalent >= ALPHA}
        datasets = in_order(map(places.name, tests))
        shown = [name for name in datasets if name not in failed]
        yield (
            f'No difference shown is not "matches": at n = {n} equivalence within ±{margin:g} '
            f"points (TOST, uncorrected) is shown on {few(shown) or 'none'} of the "
            f"{len(datasets)} {places.things} without a significant difference"
            f"{'; not on ' + few([n for n in datasets if n in failed]) if failed else ''}."
        )


def _power(audit: Audit) -> Iterator[str]:
    counts = [n for n in (audit.claimed, audit.implied) if n is not None]
    if counts and any(test.test == "welch" for test in audit.tests):
        sizes = ", ".join(f"{minimum_detectable_effect(n):.2f} SD at n = {n}" for n in counts)
        yield f"Power: of one pair, uncorrected, 80 % power needs a true difference of {sizes}."


def _over(audit: Audit) -> Iterator[str]:
    """Yield what p is over, and so what it says nothing about."""
    over = {test.over for test in audit.tests}
    if RUNS in over:
        yield (
            "Over runs: p and intervals are of further runs on these test images; of other images "
            "they say nothing."
        )
    if IMAGES in over:
        yield (
            "Over images: z takes the two numbers as independent; where both are of the same "
            "images they are not, and p is then mostly too large."
        )
    if any(test.is_assumed for test in audit.tests):
        yield (
            "n is not stated: what n = 3, 5 or 10 would show is assumed, and nothing that the "
            "study says; if n = 1, nothing can be tested over runs."
        )


def _refused(audit: Audit) -> Iterator[str]:
    """Yield the tests that the printed digits do not allow, with the reason."""
    places = _Places(audit.tests)
    reasons: dict[tuple[str, str], list[str]] = {}
    for test in audit.tests:
        if test.note:
            has_range = not math.isnan(test.bounds.largest)
            more = " at the printed digits; the table has its range over all that print so"
            key = TITLES[test.test], test.note + (more if has_range else "")
            reasons.setdefault(key, []).append(places.name(test))
    for (title, reason), names in reasons.items():
        yield f"Not tested: {few(in_order(names))}, {title}: {reason}."
