"""`train_labels`: what is learnt and chosen by noisy labels is tested by clean ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from omnibench.tasks.classification.refusals import NO_NOISY_STUDIES
from tests.classification.conftest import Ran, read, write
from tests.conftest import Bench

TRAINED = {"epochs": 1, "batch": 12, "warmup_epochs": 0}


@pytest.mark.parametrize(
    ("adaptation", "recipe"),
    [("linear", {"epochs": 4}), ("knn", {"k": [1, 3]}), ("head", TRAINED)],
)
def test_noisy_training_equals_a_dataset_whose_labels_are_the_noisy_ones(
    ran: Ran, tmp_path: Path, adaptation: str, recipe: dict[str, Any]
) -> None:
    path, rng = tmp_path / "own.npz", np.random.default_rng(2)
    arrays = read(path)
    noisy = {
        split: np.where(rng.random(len(labels)) < 0.3, (labels + 1) % 3, labels)
        for split in ("train", "val")
        if (labels := arrays[f"{split}_labels"]) is not None
    }
    np.savez(path, **arrays, **{f"{split}_labels_noisy": own for split, own in noisy.items()})
    base = {"input_size": 32, "precision": "fp32", **recipe}
    settings = ran(adaptation, recipe={**base, "train_labels": ["clean", "noisy"]})
    (_, clean), (unit, learnt) = settings
    assert unit.short.endswith("@train_labels-noisy")
    agreed = learnt[0].notes["noisy_labels"]
    assert agreed == clean[0].notes["noisy_labels"]
    assert agreed["val"]["accuracy"] == (noisy["val"] == arrays["val_labels"]).mean()
    assert not np.array_equal(
        clean[0].predictions["test_logits"], learnt[0].predictions["test_logits"]
    )
    np.savez(path, **{**arrays, **{f"{split}_labels": own for split, own in noisy.items()}})
    [(_, replaced)] = ran(adaptation, folder="replaced", recipe=base)
    for own, other in zip(learnt, replaced, strict=True):
        assert own.metrics == other.metrics
        for name in ("test_logits", "val_logits", "val_labels", "test_labels"):
            assert np.array_equal(own.predictions[name], other.predictions[name]), name


def test_noisy_labels_that_a_dataset_has_not_are_refused_by_the_plan(
    bench: Bench, tmp_path: Path
) -> None:
    write(tmp_path / "own.npz", 0, {"train": 36, "val": 12, "test": 16}, 16)
    suite = tmp_path / "noisy.yaml"
    suite.write_text(
        "{name: noisy, backbones: [{id: b, source: 'random:test_vit', pool: cls}],"
        " matrix: [{task: classification, datasets: ['npz:own.npz', phantom-noisy],"
        " adaptations: [linear], recipe: {input_size: 32, train_labels: noisy}}]}"
    )
    cells = json.loads(bench("plan", suite, "--json")[1])["cells"]
    needs = {cell["dataset"]: cell["needs"] for cell in cells}
    assert "recipe.train_labels: 'noisy' asks for labels" in needs["npz-own"][0]
    assert needs["phantom-noisy"] == []


def test_noisy_labels_of_studies_are_refused_with_a_true_way_out(
    bench: Bench, tmp_path: Path
) -> None:
    block: dict[str, Any] = {"task": "volumes", "datasets": ["phantom-volume"]}
    block |= {"adaptations": ["mean"], "recipe": {"train_labels": "noisy"}}
    suite = {"name": "s", "backbones": ["random-vit-tiny"], "matrix": [block]}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(suite))
    status, out, err = bench("plan", tmp_path / "s.yaml", "--json")
    (need,) = json.loads(out)["cells"][0]["needs"]
    assert (status, need) == (0, f"phantom-volume: {NO_NOISY_STUDIES}"), err
