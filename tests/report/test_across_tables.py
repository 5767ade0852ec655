"""Results over several datasets: which backbones enter, what is said, what is refused."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.report import across
from omnibench.report.across import across_tables
from omnibench.report.complete import Complete, completed
from omnibench.report.latex import to_latex
from omnibench.report.markdown import escape, to_markdown
from omnibench.report.table import DASH
from omnibench.stats.across import overall
from tests.report.by_hand import RULES, Study
from tests.report.page_records import ATTACK

MODELS = ("random-vit", "a", "b", "c")


@pytest.fixture
def runs(study: Study) -> Callable[..., Any]:
    """Fill the study with seeded values; returns [models, datasets, repetitions]."""

    def fill(datasets: int, repetitions: int = 3, seed: int = 0) -> NDArray[Any]:
        rng = np.random.default_rng(seed)
        values = 0.5 + rng.normal(size=(len(MODELS), datasets, repetitions)) / 20
        values += np.arange(len(MODELS))[:, None, None] / 15
        for k, name in enumerate(MODELS):
            for d in range(datasets):
                study.add(name, values[k, d].tolist(), dataset=f"d{d}")
        return values

    return fill


def found(study: Study, **options: set[str]) -> list[Complete]:
    return list(completed(study.results(**options), study.values))


def tables(
    study: Study, baseline: str = "random-vit", correction: str = "holm", **options: set[str]
) -> list[Any]:
    return across_tables(found(study, **options), [], baseline, correction)


def test_every_number_against_scipy_and_statsmodels(study: Study, runs: Callable[..., Any]) -> None:
    values = runs(8)
    standings, pairs = tables(study)
    means = values.mean(axis=2)
    places = stats.rankdata(-means, axis=0).mean(axis=1)
    order = np.argsort(places, kind="stable")
    assert [row[:2] for row in standings.texts] == [(MODELS[k], f"{places[k]:.2f}") for k in order]
    assert [row[2] for row in standings.texts] == [
        f"{100 * stats.trim_mean(values[k].ravel(), 0.25):.2f}" for k in order
    ]
    for k, row in zip(order, standings.texts, strict=True):
        low, high = map(float, row[3].split(" to "))
        assert low < float(row[2]) < high
        if k:
            wins = (values[k][:, :, None] > values[0][:, None]).mean()
            assert row[4] == f"{wins:.2f}"
        else:
            assert row[4:] == (DASH, DASH)
    test = stats.friedmanchisquare(*means)
    assert f"Friedman: chi-square {test.statistic:.2f}, 3 degrees of freedom, p " in (
        standings.caption
    )
    assert "critical difference of mean ranks at .05: 1.66." in standings.caption  # Demsar's 2.569
    for fact in (
        "auc in points (higher is better), metric definition def, over 8 datasets (d0, d1, ",
        "n = 3 repetitions, head seed varies.",
        "2,000 resamples of the repetitions (head seed only) within each dataset",
        "Not trained (random weights are one fixed draw each): random-vit.",
    ):
        assert fact in standings.caption
    p = [stats.wilcoxon(means[a], means[b], method="exact").pvalue
         for a, b in combinations(range(4), 2)]  # fmt: skip
    corrected = multipletests(p, method="holm")[1]
    assert [row[2:4] for row in pairs.texts] == [
        (f"{item:.3f}".lstrip("0"), f"{other:.3f}".lstrip("0"))
        for item, other in zip(p, corrected, strict=True)
    ]
    assert pairs.texts[0][0] == "random-vit \N{MINUS SIGN} a"
    assert "corrected by Holm over the family of 6 tested pairs" in pairs.caption
    (_, pairs) = tables(study, correction="benjamini-hochberg")
    assert "corrected by Benjamini-Hochberg over" in pairs.caption
    corrected = multipletests(p, method="fdr_bh")[1]
    assert [row[3] for row in pairs.texts] == [f"{item:.3f}".lstrip("0") for item in corrected]


def test_verdicts_over_datasets_against_the_formulas(study: Study) -> None:
    """The mean of differences, with Satterthwaite's degrees of freedom for its error."""
    differences, errors, dfs = (0.04, 0.01, 0.07), (0.03, 0.02, 0.015), (4.0, 9.0, 30.0)
    for k, facts in enumerate(zip(differences, errors, dfs, strict=True)):
        study.add("random-vit", [0.5, 0.51], f"d{k}").add("a", [0.6, 0.62], f"d{k}")
        numbers: Any = dict(zip(("difference", "error", "df"), facts, strict=True))
        study.compare("a", dataset=f"d{k}", p=0.1, p_corrected=0.1, **numbers)
    sums = overall(study.comparisons, RULES)
    first, *_ = across_tables(found(study), sums, "random-vit", "holm")
    mean, variances = np.mean(differences), (np.array(errors) / 3) ** 2
    error = np.sqrt(variances.sum())
    df = variances.sum() ** 2 / (variances**2 / dfs).sum()
    low, high = stats.t.interval(0.95, df, mean, error)
    p = f"{2 * stats.t.sf(mean / error, df):.3f}".lstrip("0")
    assert first.title == "Differences over datasets: classification: auc, linear"
    assert first.texts == (
        ("a", "3", f"{100 * mean:+.2f}", f"{100 * low:.2f} to {100 * high:.2f}", p, p, "better"),
    )
    assert first.caption == (
        "auc in points: mean over datasets of the difference from random-vit, for new images and "
        "new runs on these datasets, which are fixed. p corrected by Holm over the 1 backbone "
        "compared with random-vit with this adaptation."
    )


def test_the_same_values_give_the_same_tables(study: Study, runs: Callable[..., Any]) -> None:
    runs(3)
    assert tables(study) == tables(study)


def test_less_can_be_better(study: Study, runs: Callable[..., Any]) -> None:
    runs(4)
    up, _ = tables(study)
    down, _ = tables(study, lower_is_better={"def/auc"})
    assert [row[0] for row in down.texts] == [row[0] for row in up.texts][::-1]
    assert "(lower is better)" in down.caption
    up_p, down_p = ({row[0]: row[4] for row in table.texts} for table in (up, down))
    assert float(up_p["a"]) + float(down_p["a"]) == pytest.approx(1)


def test_what_is_incomplete_is_left_out_by_name(study: Study, runs: Callable[..., Any]) -> None:
    runs(3)
    study.add("gone", [0.9] * 3, dataset="d0")
    study.add("undefined", [0.9, float("nan"), 0.9], dataset="d0")
    study.add("undefined", [0.9] * 3, dataset="d1").add("undefined", [0.9] * 3, dataset="d2")
    study.add("gone", [float("nan")] * 3, dataset="empty")
    (item,) = found(study)
    assert list(item.runs) == list(MODELS)
    assert item.datasets == ("d0", "d1", "d2")
    assert item.left == (
        "No backbone has a mean on empty, which is left out.",
        "Left out, for want of a mean on the datasets in brackets: gone (d1, d2); undefined (d0).",
    )
    assert all(sentence in tables(study)[0].caption for sentence in item.left)
    (without, _) = tables(study, baseline="gone")
    assert "P(better" not in str(without.heads)
    assert "gone is not complete, so nothing is compared with it." in without.caption


def test_an_adaptation_of_which_nothing_is_done_yet_has_no_block(
    study: Study, runs: Callable[..., Any]
) -> None:
    runs(3)
    for dataset in ("d0", "d1"):
        study.ask("a", ["missing"] * 3, dataset, "late")
    (item,) = found(study)
    assert item.adaptation == "linear"


def test_few_datasets_and_few_repetitions_are_refused_with_their_reason(
    study: Study, runs: Callable[..., Any]
) -> None:
    runs(3, repetitions=1)
    standings, pairs = tables(study)
    assert {row[2:] for row in standings.texts} == {(DASH,) * 4}
    for fact in (
        "3 datasets are few",
        "n = 1.",
        "interquartile mean: d0: it has fewer than two repetitions to resample.",
    ):
        assert fact in standings.caption
    assert pairs.texts == ()
    assert pairs.caption.startswith("No pair is tested: the Wilcoxon test of 3 pairs that differ")


@pytest.mark.parametrize(("datasets", "smallest"), [(6, ".188"), (8, None)])
def test_pairs_that_cannot_be_told_apart_are_announced(
    study: Study, runs: Callable[..., Any], datasets: int, smallest: str | None
) -> None:
    """Of 6 datasets two of four models, however far apart, have p = 6 x 2 / 2^6 after Holm."""
    runs(datasets)
    _, pairs = tables(study)
    sentence = f"the smallest corrected p possible is {smallest}." if smallest else "No pair can"
    assert (sentence in pairs.caption) == (smallest is not None)
    if smallest:
        lowest = min(float(row[3].removeprefix("< ")) for row in pairs.texts)
        assert lowest >= float(smallest)
    # Benjamini-Hochberg's smallest is that of one test, which can be below .05.
    assert "No pair can" not in tables(study, correction="benjamini-hochberg")[1].caption


def test_unequal_repetitions_are_said(study: Study, runs: Callable[..., Any]) -> None:
    runs(2)
    for d in range(2):
        study.add("more", [0.7, 0.71, 0.72, 0.73, 0.74], dataset=f"d{d}")
    assert "n = 3 to 5 repetitions" in tables(study)[0].caption


def test_two_backbones_have_ranks_and_no_friedman(study: Study) -> None:
    for d in range(2):
        study.add("a", [0.1, 0.2], dataset=f"d{d}").add("b", [0.1, 0.2], dataset=f"d{d}")
    (standings, pairs) = tables(study)
    assert [row[1] for row in standings.texts] == ["1.50", "1.50"]
    assert "Friedman's test is refused: Friedman's test needs three models" in standings.caption
    assert "the two are equal in every pair" in pairs.caption


def test_one_complete_backbone_is_refused(study: Study) -> None:
    study.add("a", [0.1, 0.2], dataset="d0").add("a", [0.1, 0.2], dataset="d1")
    study.add("b", [0.1, 0.2], dataset="d0")
    (only,) = tables(study)
    assert only.texts == ()
    assert "there are 1 and 2" in only.caption
    assert "b (d1)" in only.caption


def test_one_dataset_or_a_pretraining_has_none(study: Study) -> None:
    study.add("a", [0.1, 0.2]).add("b", [0.1, 0.2])
    for name in ("d0", "d1"):
        study.add("a", [0.1], dataset=name, task="pretraining")
    assert tables(study) == []


def test_each_adaptation_stands_alone(study: Study, runs: Callable[..., Any]) -> None:
    runs(2)
    for d in range(2):
        for name in ("a", "b"):
            study.add(name, [0.4], dataset=f"d{d}", adaptation="knn")
    assert [item.adaptation for item in found(study)] == ["linear", "knn"]


def test_too_many_pairs_are_refused_by_number(
    study: Study, runs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(2)
    monkeypatch.setattr(across, "MOST", 3)
    (standings, pairs) = tables(study)
    assert len(standings.texts) == 4
    assert pairs.caption.startswith("Refused: 4 backbones make 6 pairs; at most 3 are all tested")


def test_any_name_is_printed_as_it_is(study: Study) -> None:
    for d in range(6):
        for k, name in enumerate(("a", "b", ATTACK)):
            study.add(name, [0.1 * k, 0.2 + 0.01 * d], dataset=f"{ATTACK}{d}")
    made = tables(study, baseline=ATTACK)
    assert made[0].texts[0][0] == ATTACK
    assert escape(ATTACK) in to_markdown("x", made)
    assert r"\textbackslash{}" in to_latex("x", made)
