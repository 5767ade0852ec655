"""Noisy labels beside clean ones: read, compared, learnt from; and what they do to an AUC."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from omnibench.catalogue import datasets
from omnibench.data import Dataset, Labels
from omnibench.data.noisy_labels import NOISY, agreement, learnt_from_noisy
from omnibench.data.npz import card_of, read
from omnibench.data.phantom.reader import MADE_UP, MISSED, read_noisy
from omnibench.errors import DataError


def arrays_of(labels: int, noisy: tuple[str, ...] = ("train", "val")) -> dict[str, Any]:
    """Return the arrays of an npz of binary labels, or of several."""
    rng = np.random.default_rng(3)
    arrays = dict[str, Any]()
    for split in ("train", "val", "test"):
        shape = (40,) if labels == 1 else (40, labels)
        clean = rng.integers(0, 2, shape)
        arrays[f"{split}_images"] = rng.integers(0, 255, (40, 8, 8)).astype(np.uint8)
        arrays[f"{split}_labels"] = clean
        if split in noisy:
            arrays[f"{split}_labels_noisy"] = np.where(rng.random(shape) < 0.2, 1 - clean, clean)
    return arrays


def saved(path: Path, arrays: dict[str, Any]) -> Dataset:
    np.savez(path, **arrays)
    return read(card_of(path), path.parent)


@pytest.mark.parametrize("labels", [1, 3])
def test_agreement_is_accuracy_and_scikit_learns_kappa(tmp_path: Path, labels: int) -> None:
    arrays = arrays_of(labels)
    dataset = saved(tmp_path / "noisy.npz", arrays)
    assert dataset.card.noisy_labels
    facts = agreement(dataset)
    assert set(facts) == {"train", "val"}
    for split, own in facts.items():
        clean, noisy = arrays[f"{split}_labels"], arrays[f"{split}_labels_noisy"]
        assert own["accuracy"] == pytest.approx((clean == noisy).mean())
        kappas = [
            cohen_kappa_score(a, b)
            for a, b in zip(clean.reshape(40, -1).T, noisy.reshape(40, -1).T, strict=True)
        ]
        assert own["kappa"] == pytest.approx(kappas[0] if labels == 1 else kappas)


def test_training_and_validation_are_learnt_from_noisy_labels_alone(tmp_path: Path) -> None:
    arrays = arrays_of(1)
    learnt = learnt_from_noisy(saved(tmp_path / "noisy.npz", arrays))
    for split in ("train", "val"):
        values = learnt.target(split, "labels", Labels).values
        assert np.array_equal(values, arrays[f"{split}_labels_noisy"])
    assert np.array_equal(learnt.target("test", "labels", Labels).values, arrays["test_labels"])


def test_noisy_labels_of_one_split_or_of_none_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no val_labels_noisy"):
        saved(tmp_path / "half.npz", arrays_of(1, noisy=("train",)))
    clean = saved(tmp_path / "clean.npz", arrays_of(1, noisy=()))
    assert (clean.card.noisy_labels, agreement(clean)) == (False, {})
    short = {**arrays_of(1), "val_labels_noisy": np.zeros(7, np.int64)}
    with pytest.raises(DataError, match="val_labels_noisy holds 7 labels for 40 images"):
        saved(tmp_path / "short.npz", short)
    strange = {**arrays_of(1), "train_labels_noisy": np.full(40, 2)}
    with pytest.raises(DataError, match="train_labels_noisy holds the label 2"):
        saved(tmp_path / "strange.npz", strange)


def test_the_phantom_flips_known_shares_of_each_class(tmp_path: Path) -> None:
    card = datasets.get("phantom-noisy").model_copy(
        update={"resolution": 16, "splits": {"train": 3000, "val": 30, "test": 30}}
    )
    dataset = read_noisy(card, tmp_path)
    clean, noisy = (dataset.target("train", name, Labels).values for name in ("labels", NOISY))
    assert (noisy[clean == 1] == 0).mean() == pytest.approx(MISSED, abs=0.03)
    assert (noisy[clean == 0] == 1).mean() == pytest.approx(MADE_UP, abs=0.04)
    assert NOISY not in dataset.splits["test"].targets


def test_auc_on_noisy_labels_is_drawn_to_one_half_as_menon_et_al_say() -> None:
    """(1 - a - b)(AUC - .5), a = P(clean 0 | noisy 1), b = P(clean 1 | noisy 0); ICML 2015."""
    rng = np.random.default_rng(0)
    clean = (rng.random(400_000) < 0.3).astype(np.int64)
    scores = rng.normal(size=len(clean)) + 1.2 * clean
    flipped = rng.random(len(clean)) < np.where(clean == 1, MISSED, MADE_UP)
    noisy = np.where(flipped, 1 - clean, clean)
    wrong = (1 - clean[noisy == 1].mean()) + clean[noisy == 0].mean()
    expected = 0.5 + (1 - wrong) * (roc_auc_score(clean, scores) - 0.5)
    assert roc_auc_score(noisy, scores) == pytest.approx(expected, abs=2e-3)
    assert roc_auc_score(clean, scores) - roc_auc_score(noisy, scores) > 0.1
