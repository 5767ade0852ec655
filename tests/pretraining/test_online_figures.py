"""What a training is watched by, against brute force and scikit-learn."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from omnibench.data import sources
from omnibench.encoders.preprocess import Preprocess
from omnibench.tasks.pretraining.knn import NEIGHBOURS, TEMPERATURE, OnlineKnn
from omnibench.tasks.pretraining.network import MaskedViT
from omnibench.tasks.pretraining.targets import sinkhorn_knopp, softmax
from omnibench.tasks.pretraining.watch import PATIENCE, Watch, effective_rank, teacher_facts
from tests.pretraining.tiny_networks import SIDE, every, model, recipe
from tests.target_values import labels_of

PROTOTYPES = 24


def noise(*shape: Any, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_rank(tokens: Any) -> Any:
    values = np.linalg.svd(tokens - tokens.mean(axis=0), compute_uv=False)
    return math.exp(entropy(values))


@pytest.mark.parametrize("answer", [sinkhorn_knopp, lambda x, t: softmax(x, t, None)])
def test_facts_are_brute_force(answer: Any) -> None:
    logits, tokens = noise(40, PROTOTYPES), noise(40, 6, seed=1) + 1
    actual = teacher_facts(answer(logits.clone(), 0.3), tokens)
    aims = every(answer(logits.clone(), 0.3)).double().numpy()
    mean = (logits.double() / 0.3).softmax(dim=1).mean(dim=0).numpy()
    units = tokens.double().numpy()
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    assert actual == {
        "teacher_entropy": pytest.approx(entropy(aims, axis=1).mean(), rel=1e-5),
        "kl_uniform": pytest.approx(entropy(mean, np.full(PROTOTYPES, 1 / PROTOTYPES)), rel=1e-4),
        "feature_std": pytest.approx(math.sqrt(units.var(axis=0).sum()), rel=1e-5),
        "effective_rank": pytest.approx(brute_rank(tokens.double().numpy()), rel=1e-5),
    }


@pytest.mark.parametrize("width", [3, 8])
def test_the_effective_rank_of_known_spectra(width: int) -> None:
    corners = torch.cat([torch.eye(width), -torch.eye(width)]) + 5
    assert effective_rank(corners) == pytest.approx(width)
    line = torch.arange(9.0)[:, None] * torch.ones(width)
    assert effective_rank(line) == pytest.approx(1, abs=1e-4)
    assert effective_rank(torch.ones(9, width)) == 1.0
    # Singular values of 3 and 1: exp of the entropy of 3/4 and 1/4.
    uneven = torch.zeros(4, width)
    uneven[0, 0], uneven[1, 0], uneven[2, 1], uneven[3, 1] = 3, -3, 1, -1
    assert effective_rank(uneven) == pytest.approx(math.exp(entropy([0.75, 0.25])))


def facts(logits: Any, tokens: Any) -> Any:
    return teacher_facts(softmax(logits, 1.0, None), tokens)


def line(uniform: bool = False, single: bool = False, constant: bool = False) -> Any:
    """A line of the log with the signs of collapse that are asked for, from answers made so."""
    logits = torch.zeros(30, PROTOTYPES) if uniform else 9 * noise(30, PROTOTYPES)
    if single:
        logits[:, 7] += 60
    tokens = noise(30, 6, seed=1)
    return facts(logits, torch.ones(30, 6) + 1e-4 * tokens if constant else tokens)


@pytest.mark.parametrize(
    ("sign", "name"),
    [
        ("uniform", "uniform targets"),
        ("single", "a single prototype"),
        ("constant", "constant features"),
    ],
)
def test_a_collapse_is_named_when_its_sign_has_lasted(tmp_path: Path, sign: str, name: str) -> None:
    watch = Watch(tmp_path / "log.jsonl")
    for _ in range(PATIENCE - 1):
        assert watch.collapse(line(**{sign: True}), PROTOTYPES) is None
    assert watch.collapse(line(), PROTOTYPES) is None  # and the count begins again
    for _ in range(PATIENCE - 1):
        assert watch.collapse(line(**{sign: True}), PROTOTYPES) is None
    actual = watch.collapse(line(**{sign: True}), PROTOTYPES)
    assert actual is not None
    assert actual.startswith(name)
    assert list(watch.signs) == [actual]


def test_a_healthy_training_shows_no_sign(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "log.jsonl")
    for _ in range(2 * PATIENCE):
        assert watch.collapse(line(), PROTOTYPES) is None
    assert watch.signs == {}


def test_signs_are_counted_each_by_itself(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "log.jsonl")
    for k in range(PATIENCE - 1):
        assert watch.collapse(line(constant=True, single=k > 0), PROTOTYPES) is None
    assert sorted(watch.signs.values()) == [PATIENCE - 2, PATIENCE - 1]
    assert watch.collapse(line(single=True), PROTOTYPES) is None


def test_facts_of_a_collapse_are_at_their_ends() -> None:
    actual = line(uniform=True)
    assert actual["teacher_entropy"] == pytest.approx(math.log(PROTOTYPES))
    assert actual["kl_uniform"] == pytest.approx(0, abs=1e-6)
    assert line(single=True)["kl_uniform"] == pytest.approx(math.log(PROTOTYPES), rel=1e-3)
    assert line(constant=True)["feature_std"] < 1e-3
    assert line()["feature_std"] == pytest.approx(1, abs=0.1)


def test_a_log_is_taken_up_at_its_step_and_a_cut_line_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "log.jsonl"
    watch = Watch(path)
    watch.resume(0)
    for step in (1, 2, 3):
        watch.add({"step": step, "loss": 1 / 3, "knn_auc": None}, 8, left=80)
    whole = path.read_text()
    path.write_text(whole[:-9])
    again = Watch(path)
    again.resume(3)
    assert again.lines == watch.lines[:2]
    path.write_text(whole)
    again.resume(2)
    assert again.lines == watch.lines[:2]
    assert path.read_text() == "".join(whole.splitlines(keepends=True)[:2])
    again.resume(0)
    assert again.lines == []
    assert path.read_text() == ""


def test_online_knn_is_scikit_learns_on_the_same_features(phantom: str, tmp_path: Path) -> None:
    vit = model(recipe(), spread=0.5).teacher.backbone.vit
    statistics = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    preprocess = Preprocess(SIDE, *statistics, torch.device("cpu"), torch.float32)
    network = MaskedViT(vit)
    knn = OnlineKnn(phantom, tmp_path, preprocess, "fp32", "cpu")
    actual = knn.evaluate(lambda pixels: network(pixels)[0])
    splits = sources.load(sources.resolve(phantom), tmp_path).splits
    features, labels = {}, {}
    for split in ("train", "val"):
        images = torch.from_numpy(splits[split].images.read(0, len(splits[split])))
        with torch.no_grad():
            features[split] = vit.forward_features(preprocess(images))[:, 0].double().numpy()
        labels[split] = labels_of(splits[split])
    voter = KNeighborsClassifier(
        NEIGHBOURS,
        metric="cosine",
        algorithm="brute",
        weights=lambda distance: np.exp((1 - distance) / TEMPERATURE),
    ).fit(features["train"], labels["train"])
    shares = voter.predict_proba(features["val"])
    accuracy = float((voter.classes_[shares.argmax(axis=1)] == labels["val"]).mean())
    auc = roc_auc_score(labels["val"], shares, multi_class="ovr", average="macro")
    assert actual == {
        "knn_accuracy": pytest.approx(accuracy, abs=1e-9),
        "knn_auc": pytest.approx(auc, abs=1e-3),
    }
    plain = voter.set_params(weights="uniform").predict_proba(features["val"])
    assert np.abs(plain - shares).max() > 0.05  # the weights matter here
