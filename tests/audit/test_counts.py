"""Accuracies as counts: against scipy, statsmodels and enumeration of every overlap."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from omnibench.audit.contests import Contest
from omnibench.audit.counts import (
    count,
    count_tests,
    fisher,
    is_single,
    mcnemar_p,
    newcombe,
    wilson,
)
from omnibench.audit.published import Row
from omnibench.stats.result import RefusedError


def row(model: str, mean: str, images: int | None, **changes: object) -> Row:
    base = Row(
        study="s", table="1", dataset="d", model=model, role="rerun", metric="accuracy",
        definition="accuracy", adaptation="", unit="percent", primary=True, higher_is_better=True,
        mean=mean, std="", n=None, test_images=images, members=(), task="", dataset_id="",
        backbone_id="", citation="", source=Path("a.csv"),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def pair(a: Row, b: Row) -> list[Contest]:
    return [Contest((a,), (b,))]


@pytest.mark.parametrize("images", [7, 100, 156, 700])
@pytest.mark.parametrize("mean", ["80.1", "80.13", "0.0", "100.0"])
def test_every_k_that_prints_so_is_recovered_and_no_other(mean: str, images: int) -> None:
    digits = len(mean.partition(".")[2])
    half = 0.5 * 10**-digits + 1e-12
    expected = [k for k in range(images + 1) if abs(100 * k / images - float(mean)) <= half]
    if not expected:
        with pytest.raises(RefusedError, match=f"accuracy {mean} of m on d is no k of {images}"):
            count(row("m", mean, images))
        return
    actual = count(row("m", mean, images))
    assert list(range(actual.least, actual.most + 1)) == expected


def test_fractions_are_counted_too() -> None:
    actual = count(row("m", "0.801", 156, unit="fraction"))
    assert (actual.least, actual.most) == (125, 125)


@pytest.mark.parametrize(("k", "images"), [(0, 10), (10, 10), (125, 156), (1, 9000)])
def test_wilsons_interval_is_that_of_statsmodels(k: int, images: int) -> None:
    expected = proportion_confint(k, images, method="wilson")
    assert wilson(k, images) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("counts", [(125, 156, 118, 156), (0, 10, 10, 10), (500, 624, 90, 100)])
def test_newcombes_interval_is_that_of_statsmodels(counts: tuple[int, int, int, int]) -> None:
    expected = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    assert newcombe(*counts) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "counts", [(125, 156, 118, 156), (0, 10, 10, 10), (500, 624, 90, 100), (7, 9, 7, 9)]
)
def test_fishers_p_is_that_of_scipy(counts: tuple[int, int, int, int]) -> None:
    k_a, a, k_b, b = counts
    expected = stats.fisher_exact([[k_a, a - k_a], [k_b, b - k_b]]).pvalue
    assert fisher(*counts) == pytest.approx(expected)


@pytest.mark.parametrize("only", [(0, 0), (5, 0), (7, 2), (2, 7), (40, 25), (6, 6)])
def test_mcnemars_p_is_that_of_statsmodels_and_of_the_binomial(only: tuple[int, int]) -> None:
    mid, exact = mcnemar_p(*only)
    smaller, discordant = min(only), sum(only)
    assert exact == pytest.approx(mcnemar([[0, only[0]], [only[1], 0]], exact=True).pvalue)
    point = stats.binom.pmf(smaller, discordant, 0.5)
    by_hand = 2 * stats.binom.cdf(smaller, discordant, 0.5) - point
    assert mid == pytest.approx(1.0 if only[0] == only[1] else by_hand)


@pytest.mark.parametrize(("k_a", "k_b"), [(15, 12), (20, 13), (6, 2), (10, 10), (9, 19)])
def test_the_least_and_the_largest_p_are_those_of_every_overlap(k_a: int, k_b: int) -> None:
    images = 20
    overlaps = range(max(0, k_a + k_b - images), min(k_a, k_b) + 1)
    p = [mcnemar_p(k_a - both, k_b - both) for both in overlaps]
    a, b = (row(name, f"{5 * k}.0", images) for name, k in (("a", k_a), ("b", k_b)))
    _, (test,), _ = count_tests(pair(a, b))
    assert test.apart == (abs(k_a - k_b),) * 2
    assert test.mid == pytest.approx((min(mid for mid, _ in p), max(mid for mid, _ in p)))
    assert test.exact == pytest.approx((min(e for _, e in p), max(e for _, e in p)))


def test_where_several_k_print_so_every_number_is_over_all_of_them() -> None:
    a, b = row("a", "80.1", 4000), row("b", "79.0", 4000)
    (count_a, count_b), (test,), _ = count_tests(pair(a, b))
    every = list(
        itertools.product(
            range(count_a.least, count_a.most + 1), range(count_b.least, count_b.most + 1)
        )
    )
    assert len(every) > 9
    p = [fisher(x, 4000, y, 4000) for x, y in every]
    assert test.fisher == pytest.approx((min(p), max(p)))
    assert test.apart == (min(x - y for x, y in every), max(x - y for x, y in every))
    assert test.mid is not None
    shared = [max(0, x + y - 4000) for x, y in every]
    most = [mcnemar_p(x - s, y - s)[0] for (x, y), s in zip(every, shared, strict=True)]
    assert test.mid.largest == pytest.approx(max(most))
    assert test.mid.least == pytest.approx(mcnemar_p(test.apart[1], 0)[0])


def test_equal_prints_may_be_equal_counts() -> None:
    _, (test,), _ = count_tests(pair(row("a", "80.1", 4000), row("b", "80.1", 4000)))
    assert test.fisher.largest == test.corrected.largest == 1
    assert test.apart is not None
    assert test.apart[0] == 0


def test_different_numbers_of_images_have_no_pairs() -> None:
    a, b = row("a", "80.0", 100), row("b", "79.0", 200)
    _, (test,), _ = count_tests(pair(a, b))
    assert (test.apart, test.mid, test.exact) == (None, None, None)
    assert test.fisher.least == pytest.approx(stats.fisher_exact([[80, 20], [158, 42]]).pvalue)


def test_an_accuracy_that_is_no_count_is_refused_by_name_and_the_rest_is_tested() -> None:
    a, b, c = row("a", "80.77", 156), row("b", "80.00", 156), row("c", "79.49", 156)
    counts, tests, refusals = count_tests(pair(a, b) + pair(a, c))
    assert refusals == ["the accuracy 80.00 of b on d is no k of 156 images"]
    assert [(test.a.row.model, test.b.row.model) for test in tests] == [("a", "c")]
    assert [known.row.model for known in counts] == ["a", "c"]


def test_means_of_runs_are_no_counts() -> None:
    assert is_single(row("a", "80.1", 156))
    assert is_single(row("a", "80.1", 156, n=1))
    assert not is_single(row("a", "80.1", 156, n=5))
    assert not is_single(row("a", "80.1", 156, std="0.3"))
    assert not is_single(row("a", "80.1", None))
    assert not is_single(row("a", "80.1", 156, metric="auc"))
