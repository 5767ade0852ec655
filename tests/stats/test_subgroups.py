"""Subgroups: how they are told, against closed forms, and how often equal models are called so."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.subgroups import Group, InGroup, groups_of, in_groups, parts_of, worst
from omnibench.subgrouping import Subgrouping

SCORE = ("d", "dice")


def means(values: NDArray[np.float64], patients: NDArray[Any] | None = None) -> Cases:
    """Return a unit whose metric is the mean of values [R, N]."""
    return Cases(len(values), np.arange(values.shape[1]), patients, {SCORE: values}, None)


def by_text(texts: list[str], cases: Cases) -> list[Group]:
    return groups_of(Subgrouping("sex"), np.array(texts), cases.cluster)


def answer(outcome: Answer | RefusedError | None) -> Answer:
    assert isinstance(outcome, Answer)
    return outcome


def test_bands_are_half_open_and_what_is_unknown_comes_last() -> None:
    ages = np.array([59.9, 40, np.nan, 0, 39.99, 60, 200, -1])
    groups = groups_of(Subgrouping("age", (0.0, 40.0, 60.0)), ages, np.arange(8))
    assert [(g.name, np.flatnonzero(g.chosen).tolist()) for g in groups] == [
        ("< 0", [7]),
        ("0-40", [3, 4]),
        ("40-60", [0, 1]),
        (">= 60", [5, 6]),
        ("unknown", [2]),
    ]


def test_numbers_without_edges_are_levels_as_long_as_they_are_few() -> None:
    groups = groups_of(Subgrouping("site"), np.array([10.0, 2.0, 10.0]), np.arange(3))
    assert [g.name for g in groups] == ["2", "10"]
    with pytest.raises(RefusedError, match=r"30 different numbers; give .* \{age: \[0, 40, 60\]\}"):
        groups_of(Subgrouping("age"), np.arange(30.0), np.arange(30))
    with pytest.raises(RefusedError, match="30 different texts, more than 20"):
        groups_of(Subgrouping("who"), np.array([f"p{k}" for k in range(30)]), np.arange(30))
    with pytest.raises(RefusedError, match="texts, which have no bands"):
        groups_of(Subgrouping("sex", (1.0,)), np.array(["F"]), np.arange(1))


def test_cases_and_patients_of_a_group_are_counted_and_small_ones_marked() -> None:
    cases = means(np.zeros((1, 24)), np.repeat(np.arange(6), 4))
    groups = by_text(["F"] * 16 + ["M"] * 8, cases)
    assert [(g.name, g.cases, g.patients, g.small, g.rest) for g in groups] == [
        ("F", 16, 4, True, False),  # four patients; the rest has two
        ("M", 8, 2, True, False),
    ]


def test_values_differences_and_interactions_of_one_run_are_the_closed_forms() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.1, (1, 60)), rng.normal(0.6, 0.1, (1, 60))
    texts = ["F"] * 20 + ["M"] * 25 + ["X"] * 15
    cases = means(a), means(b)
    groups = by_text(texts, cases[0])
    results = in_groups(groups, *(parts_of(unit, SCORE, groups) for unit in cases))
    p = []
    for result in results:
        chosen = result.group.chosen
        inside, outside = (a - b)[0, chosen], (a - b)[0, ~chosen]
        n, m = len(inside), len(outside)
        assert result.value == pytest.approx(a[0, chosen].mean())
        within = answer(result.difference)
        error = inside.std(ddof=1) / math.sqrt(n)
        assert within.difference == pytest.approx(inside.mean())
        assert within.error == pytest.approx(error, rel=1e-6)
        both = answer(result.interaction)
        assert both.difference == pytest.approx(inside.mean() - outside.mean())
        # Two independent means; the factor of the smaller one's patients stands for both.
        expected = math.sqrt(inside.var(ddof=1) / n + outside.var(ddof=1) / m)
        assert both.error == pytest.approx(expected, rel=0.02)
        assert both.p == pytest.approx(
            2 * student.sf(abs(both.difference) / both.error, both.df), rel=1e-6
        )
        p.append(both.p)
    order = np.argsort(p)
    corrected = np.maximum.accumulate(np.array(p)[order] * [3, 2, 1]).clip(max=1)
    assert [results[k].p_corrected for k in order] == pytest.approx(corrected.tolist())


def test_two_groups_that_hold_all_cases_are_one_test() -> None:
    rng = np.random.default_rng(1)
    a, b = means(rng.random((2, 40))), means(rng.random((2, 40)))
    groups = by_text(["F"] * 20 + ["M"] * 20, a)
    first, second = in_groups(groups, parts_of(a, SCORE, groups), parts_of(b, SCORE, groups))
    assert answer(first.interaction).difference == -answer(second.interaction).difference
    assert first.p_corrected == answer(first.interaction).p == pytest.approx(second.p_corrected)


def test_a_small_group_has_a_value_and_no_interval_nor_test() -> None:
    rng = np.random.default_rng(2)
    a = means(rng.random((2, 40)), np.repeat(np.arange(20), 2))
    groups = by_text(["F"] * 38 + ["M"] * 2, a)
    parts = parts_of(a, SCORE, groups)
    women, men = in_groups(groups, parts, parts)
    assert men.value == pytest.approx(a.values[SCORE][:, -2:].mean())
    for outcome in (men.interval, men.difference, men.interaction):
        assert "fewer than 10 cases or 5 patients" in str(outcome)
    assert "the rest is too small" in str(women.interaction)
    assert isinstance(women.interval, Answer)
    assert worst([women, men], falling=False) is None
    assert math.isnan(men.p_corrected)


def test_a_class_that_a_group_lacks_leaves_its_auc_undefined_and_macro_f1_of_the_others() -> None:
    rng = np.random.default_rng(3)
    labels = np.concatenate([rng.integers(0, 2, 30), rng.integers(0, 3, 30)])
    logits = rng.normal(size=(2, 60, 3))
    logits[:, np.arange(60), labels] += 1
    logits[:, :30, 2] -= 20  # nor is it predicted there
    cases = Cases(2, np.arange(60), None, {}, Logits(logits, labels))
    groups = by_text(["F"] * 30 + ["M"] * 30, cases)
    auc, f1 = (parts_of(cases, ("d", name), groups) for name in ("auc", "macro-f1"))
    assert math.isnan(auc.values[0])
    assert "no test case is of class [2]" in str(auc.inside[0])
    assert math.isfinite(auc.values[1])
    from sklearn.metrics import f1_score

    answers = logits.argmax(axis=2)[:, :30]
    expected = [f1_score(labels[:30], row, average="macro") for row in answers]
    assert f1.values[0] == pytest.approx(np.mean(expected))


def test_the_worst_group_is_the_lowest_or_of_errors_the_highest() -> None:
    def made(name: str, value: float, cases: int = 20) -> InGroup:
        group = Group(name, np.ones(1, np.bool_), cases, cases, True)
        return InGroup(group, value, RefusedError("none"))

    results = [made("F", 0.8), made("M", 0.6), made("tiny", 0.1, 3), made("X", math.nan)]
    lowest, highest = worst(results, falling=False), worst(results, falling=True)
    assert lowest is not None
    assert highest is not None
    assert (lowest.group.name, highest.group.name) == ("M", "F")


def simulated(rng: np.random.Generator, patients: int, effect: float) -> list[InGroup]:
    """Return two models whose difference is `effect` higher in women; a patient is in both groups.

    Site is of the image: patients have images in both groups, so that their variances are shared.
    """
    cluster = np.repeat(np.arange(patients), 6)
    women = np.arange(len(cluster)) % 3 == 0
    patient = np.repeat(rng.normal(0, 0.1, (2, patients)), 6, axis=1)
    runs = rng.normal(0, 0.02, (2, 3, 1))
    a, b = 0.7 + patient[:, None] + runs + rng.normal(0, 0.1, (2, 3, len(cluster)))
    units = means(a + effect * women, cluster), means(b, cluster)
    groups = by_text(["F" if w else "M" for w in women], units[0])
    return in_groups(groups, *(parts_of(unit, SCORE, groups) for unit in units))


@pytest.mark.parametrize("patients", [10, 40])
def test_equal_differences_are_called_unequal_in_at_most_6_of_100_and_intervals_cover(
    patients: int,
) -> None:
    """400 studies, whose own error is 1.1 points."""
    rng = np.random.default_rng(4)
    rejected = covered = 0
    for _ in range(400):
        interaction = answer(simulated(rng, patients, 0.03)[0].interaction)
        covered += interaction.low <= 0.03 <= interaction.high
        rejected += answer(simulated(rng, patients, 0.0)[0].interaction).p < 0.05
    assert rejected / 400 <= 0.075
    assert covered / 400 >= 0.925
