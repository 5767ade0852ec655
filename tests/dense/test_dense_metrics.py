from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student
from skimage.metrics import peak_signal_noise_ratio
from sklearn.metrics import balanced_accuracy_score, r2_score
from torchmetrics.functional.regression import concordance_corrcoef

from omnibench.cards import MapFacts
from omnibench.scoring import case_values, chances, score
from omnibench.tasks.dense.measures import measures, of_baselines
from omnibench.tasks.dense.metrics import BASELINES

RNG = np.random.default_rng(1)
TRUTH = RNG.random((6, 16, 16)) * np.linspace(0.5, 1, 6)[:, None, None]
PREDICTED = TRUTH + RNG.normal(0, 0.1, TRUTH.shape)
VALID = np.ones(TRUTH.shape, bool)
FACTS = MapFacts(unit="mm", range=(0, 2), structure=0.8, block=4)
ANSWERS = {
    name: TRUTH + RNG.normal(0, scale, TRUTH.shape)
    for name, scale in zip(BASELINES, (0.2, 0.3, 0.101), strict=True)
}


def predictions(predicted: Any = PREDICTED, truth: Any = TRUTH, facts: MapFacts = FACTS) -> Any:
    own = measures(predicted, truth, VALID[: len(truth)], facts)
    others = of_baselines(
        {name: maps[: len(truth)] for name, maps in ANSWERS.items()},
        truth,
        VALID[: len(truth)],
        facts,
    )
    return {
        "map_range": np.array(facts.range),
        "cutoff": np.array([0.37]),
        "test_case": np.arange(len(truth)),
        **{f"test_{name}": array for name, array in own.items()},
        **{f"test_baseline_{name}": array for name, array in others.items()},
    }


def test_errors_agree_with_other_libraries() -> None:
    values = score("dense", predictions())
    error = PREDICTED - TRUTH
    assert values["dense-error/mae"] == pytest.approx(np.abs(error).mean())
    assert values["dense-error/bias"] == pytest.approx(error.mean())
    rmse = np.sqrt((error**2).mean(axis=(1, 2))).mean()
    assert values["dense-error/rmse"] == pytest.approx(rmse)
    assert values["dense-error/r2"] == pytest.approx(r2_score(TRUTH.ravel(), PREDICTED.ravel()))
    import torch

    pair = (torch.from_numpy(m.ravel()) for m in (PREDICTED, TRUTH))
    assert values["dense-error/ccc"] == pytest.approx(float(concordance_corrcoef(*pair)), rel=1e-3)
    decibels = [
        peak_signal_noise_ratio(t, p, data_range=2) for t, p in zip(TRUTH, PREDICTED, strict=True)
    ]
    assert values["dense-image/psnr"] == pytest.approx(np.mean(decibels))
    called, positive = (m.mean(axis=(1, 2)) > 0.37 for m in (PREDICTED, TRUTH))
    expected = balanced_accuracy_score(positive, called)
    assert values["threshold-agreement/balanced-accuracy"] == pytest.approx(expected)


def test_brainfm_scales_by_least_squares_and_takes_the_largest_truth_as_peak() -> None:
    values = score("dense", predictions())
    nl2, decibels = [], []
    for t, p in zip(TRUTH, PREDICTED, strict=True):
        w = np.linalg.lstsq(p.reshape(-1, 1), t.ravel(), rcond=None)[0][0]
        nl2.append(np.linalg.norm(w * p - t) / np.linalg.norm(t))
        decibels.append(peak_signal_noise_ratio(t, p, data_range=t.max()))
    assert values["brainfm-image/nl2"] == pytest.approx(np.mean(nl2))
    assert values["brainfm-image/psnr"] == pytest.approx(np.mean(decibels))
    assert values["brainfm-image/l1"] == values["dense-error/mae"]


def test_a_perfect_prediction_scores_the_ends_of_every_scale() -> None:
    values = score("dense", predictions(TRUTH))
    assert values["dense-error/mae"] == values["structure/false-rate"] == 0
    assert values["dense-error/r2"] == values["dense-error/ccc"] == 1
    assert values["dense-image/psnr"] == pytest.approx(100)
    assert values["dense-image/ssim"] == pytest.approx(1)
    assert values["null-space/null-space-error"] == 0


def test_a_truth_of_one_number_leaves_undefined_what_needs_a_spread() -> None:
    truth = np.zeros((2, 16, 16))
    given = predictions(truth + 0.1, truth)
    values = score("dense", given)
    for name in (
        *("dense-error/r2", "dense-error/ccc", "brainfm-image/psnr", "brainfm-image/nl2"),
        *("structure/volume-error", "null-space/data-residual"),
        "threshold-agreement/balanced-accuracy",
    ):
        assert values[name] is None, name
    assert values["dense-error/mae"] == pytest.approx(0.1)
    assert values["structure/missed-rate"] == 0
    assert "values:structure/volume-error" not in case_values("dense", given)


def test_the_gain_over_a_baseline_has_the_interval_of_paired_images() -> None:
    values = score("dense", predictions())
    for name, maps in ANSWERS.items():
        gain = (np.abs(maps - TRUTH) - np.abs(PREDICTED - TRUTH)).mean(axis=(1, 2))
        reach = student.ppf(0.975, 5) * gain.std(ddof=1) / np.sqrt(6)
        low, mean, high = (values[f"dense-gain/over-{name}{b}"] for b in ("-low", "", "-high"))
        assert (low, mean, high) == pytest.approx(
            (gain.mean() - reach, gain.mean(), gain.mean() + reach)
        )


def test_images_of_one_patient_go_together_and_one_patient_alone_is_no_patient() -> None:
    given = predictions()
    plain = score("dense", given)
    alone = score("dense", {**given, "test_group": np.array(["a"] * 6)})
    assert alone["dense-gain/over-input-low"] == plain["dense-gain/over-input-low"]
    twice = {
        key: np.concatenate([array, array]) if key.startswith("test_") else array
        for key, array in given.items()
    }
    grouped = score("dense", {**twice, "test_group": np.tile(np.arange(6).astype(str), 2)})
    assert grouped["dense-gain/over-input-low"] == pytest.approx(plain["dense-gain/over-input-low"])
    first = {k: a[:1] if k.startswith("test_") else a for k, a in given.items()}
    assert score("dense", first)["dense-gain/over-input-low"] is None


def test_the_best_baseline_stands_for_chance_and_the_others_beside_it() -> None:
    known = chances("dense", predictions())["dense-error/mae"]
    scores = {name: np.abs(maps - TRUTH).mean() for name, maps in ANSWERS.items()}
    assert known.guess == "affine"
    assert known.value == pytest.approx(scores["affine"])
    assert dict(known.baselines) == pytest.approx(scores)
    assert chances("dense", predictions())["dense-error/r2"].guess == "affine"
