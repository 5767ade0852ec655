"""A report's corruptions, against means and ratios of the metrics written out."""

import numpy as np
import pytest

from omnibench.data.corruptions.alexnet import ALEXNET
from omnibench.scoring import chances
from tests.report.viewed_records import CORRUPTIONS, LABELS, SEVERITIES, Viewed

STEM = "corruptions"
GOOD, BASE = ("good", "linear"), ("base", "linear")


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Viewed:
    with pytest.MonkeyPatch.context() as patch:
        return Viewed(tmp_path_factory.mktemp("results"), patch)


def by_corruption(viewed: Viewed, model: tuple[str, str], metric: str) -> list[float]:
    """Return the mean over severities and repetitions under each corruption."""
    return [
        float(np.mean([viewed.mean(model, metric, f"{name}-{s}") for s in SEVERITIES]))
        for name in CORRUPTIONS
    ]


def test_means_drop_and_worst_are_those_of_the_metrics(viewed: Viewed) -> None:
    means = by_corruption(viewed, GOOD, "macro-f1")
    for name, mean in zip(CORRUPTIONS, means, strict=True):
        made = viewed.value(STEM, backbone="good", measure="corruption/mean", corruption=name)
        assert made == pytest.approx(mean)
    average = viewed.value(STEM, backbone="good", measure="corruption/mean", corruption="")
    assert average == pytest.approx(np.mean(means))
    clean = viewed.mean(GOOD, "macro-f1")
    truth = {"test_labels": LABELS, "test_logits": np.zeros((len(LABELS), 2))}
    chance = chances("classification", truth)["omnirad-classification/macro-f1"].value
    drop = viewed.value(STEM, backbone="good", measure="corruption/relative-drop")
    assert drop == pytest.approx((clean - np.mean(means)) / (clean - chance))
    (worst,) = viewed.rows(STEM, backbone="good", measure="corruption/worst")
    assert worst["corruption"] == CORRUPTIONS[int(np.argmin(means))]


def test_errors_are_divided_by_the_baselines_corruption_by_corruption(viewed: Viewed) -> None:
    own, other = (by_corruption(viewed, model, "macro-f1") for model in (GOOD, BASE))
    expected = np.mean([(1 - a) / (1 - b) for a, b in zip(own, other, strict=True)])
    made = viewed.value(STEM, backbone="good", measure="corruption/error-ratio")
    assert made == pytest.approx(expected)
    assert viewed.value(STEM, backbone="base", measure="corruption/error-ratio") == 1


def test_balanced_errors_are_medmnistcs_with_alexnets_constants(viewed: Viewed) -> None:
    errors = ALEXNET["breastmnist"]
    # Of the document, rounded there.
    assert errors.clean == pytest.approx(0.14536, abs=5e-6)
    stated = (0.46128, 0.29862, 0.38709, 0.25902, 0.31980, 0.21128, 0.15865)
    assert list(errors.corrupted.values()) == pytest.approx(stated, abs=5e-6)
    clean = 1 - viewed.mean(GOOD, "balanced-accuracy")
    means = [1 - mean for mean in by_corruption(viewed, GOOD, "balanced-accuracy")]
    pairs = list(zip(means, stated, strict=True))
    be = np.mean([error / alex for error, alex in pairs])
    rbe = np.mean([(error - clean) / (alex - 0.14536) for error, alex in pairs])
    assert viewed.value(STEM, backbone="good", measure="medmnistc/be") == pytest.approx(be, 1e-4)
    assert viewed.value(STEM, backbone="good", measure="medmnistc/rbe") == pytest.approx(rbe, 1e-3)


def test_every_number_lies_within_its_interval_or_says_why_it_has_none(viewed: Viewed) -> None:
    rows = viewed.rows(STEM)
    assert {row["backbone"] for row in rows} == {"good", "base"}
    for row in rows:
        if row["low"]:
            assert float(row["low"]) < float(row["value"]) < float(row["high"])
        else:
            assert row["note"] == "it is the baseline"


def test_the_table_stands_in_page_latex_and_markdown(viewed: Viewed) -> None:
    title = "Corruptions: breastmnist-28, macro-f1"
    assert title in (viewed.out / "shift.md").read_text()
    assert rf"\subsection{{{title}}}" in (viewed.out / "report.tex").read_text()
    page = (viewed.out / "report.html").read_text()
    assert '<a href="#beyond">' in page
    assert title in page
    assert "medmnistc/rbe" in page


@pytest.mark.parametrize("view", ["", "pixelate-5"])
def test_a_metric_of_a_view_has_the_interval_of_a_bootstrap_over_cases(
    viewed: Viewed, view: str
) -> None:
    measure = {"measure": "value" if view else "clean", "severity": view[-1:]}
    if view:
        measure["corruption"] = view[:-2]
    (row,) = viewed.rows(STEM, backbone="good", **measure)
    assert float(row["value"]) == pytest.approx(viewed.mean(GOOD, "macro-f1", view))
