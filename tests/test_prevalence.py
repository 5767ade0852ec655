"""A prevalence in a suite: of datasets with two classes, between 0 and 1."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load


def suite(prevalence: Any, datasets: list[str]) -> dict[str, Any]:
    return {
        "name": "mine",
        "backbones": ["random-vit-tiny"],
        "matrix": [{"task": "classification", "datasets": datasets, "adaptations": ["knn"]}],
        "report": {"prevalence": prevalence},
    }


@pytest.mark.parametrize(
    ("prevalence", "datasets", "sentence"),
    [
        ({"phantom": 0.1}, ["phantom"], "report.prevalence: 'phantom' has 5 classes"),
        ({"chestmnist": 0.1}, ["chestmnist"], "'chestmnist' has 14 labels"),
        ({"brestmnist": 0.1}, ["breastmnist"], "is not among the suite.s datasets.*breastmnist"),
        ({"breastmnist": 0}, ["breastmnist"], "report.prevalence: should be"),
        ({"breastmnist": 1.5}, ["breastmnist"], "report.prevalence: should be"),
        ({"breastmnist": "rare"}, ["breastmnist"], "report.prevalence: should be"),
        (0.1, ["breastmnist"], "report.prevalence"),
    ],
)
def test_a_prevalence_of_nothing_sensible_is_refused_by_its_path(
    tmp_path: Path, prevalence: Any, datasets: list[str], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        load(suite(prevalence, datasets), Sources(tmp_path, tmp_path))


def test_a_prevalence_changes_no_digest(tmp_path: Path) -> None:
    stated, plain = (
        load(suite(given, ["breastmnist"]), Sources(tmp_path, tmp_path))
        for given in ({"breastmnist": 0.02}, {})
    )
    assert stated.report.prevalence == {"breastmnist": 0.02}
    assert stated.units == plain.units
    assert np.all([a.digest == b.digest for a, b in zip(
        stated.units[0].cells, plain.units[0].cells, strict=True)])  # fmt: skip
