"""What `plan` says of label budgets, and what it blocks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from omnibench.data import Labels
from omnibench.data.sources import load, resolve
from omnibench.data.subset import limited
from tests.conftest import Bench
from tests.data.nifti_files import write_studies


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Return a suite of 3 + 17 training images, and a second set whose third class is untrained."""
    arrays: dict[str, Any] = {}
    for split, rare, count in (("train", 3, 20), ("val", 4, 8), ("test", 4, 8)):
        arrays[f"{split}_images"] = np.random.default_rng(count).integers(
            0, 255, (count, 8, 8), np.uint8
        )
        arrays[f"{split}_labels"] = (np.arange(count) >= rare).astype(np.uint8)[:, None]
    np.savez(tmp_path / "rare.npz", **arrays)
    for split in ("val", "test"):
        arrays[f"{split}_labels"] = (np.arange(8) % 3).astype(np.uint8)[:, None]
    np.savez(tmp_path / "absent.npz", **arrays)
    return tmp_path / "s.yaml"


def plan(bench: Bench, suite: Path, **entry: Any) -> Any:
    block = {"task": "classification", "datasets": ["npz:rare.npz"], "adaptations": ["full"]}
    content = {"name": "s", "backbones": ["random-vit-tiny"], "matrix": [{**block, **entry}]}
    suite.write_text(yaml.safe_dump(content))
    status, out, err = bench("plan", suite, "--json")
    assert status == 0, err
    return json.loads(out)


def test_more_of_a_class_than_there_is_is_taken_and_told(bench: Bench, suite: Path) -> None:
    planned = plan(bench, suite, labels=["2/class", "5/class", "100%"], recipe={"batch": 4})
    assert planned["remarks"] == [
        "npz-rare, 5/class: of training images '0' has 3, so all of these are taken"
    ]
    assert [cell["state"] for cell in planned["cells"]] == ["missing"] * 3
    assert [cell["labels"] for cell in planned["cells"]] == ["2/class", "5/class", "100%"]


def test_a_batch_above_a_budget_is_told_and_above_all_labels_refused(
    bench: Bench, suite: Path
) -> None:
    planned = plan(bench, suite, labels=["10%", "50%", "100%"], recipe={"batch": 16})
    assert planned["remarks"] == [
        "classification on npz-rare: recipe.batch 16 is above the training images of "
        "10% (about 2), 50% (about 10), so that a batch holds all of them"
    ]
    planned = plan(bench, suite, labels=["10%", "100%"], recipe={"batch": 32})
    states = {cell["adaptation"]: cell["state"] for cell in planned["cells"]}
    assert states == {"full@10pct": "missing", "full": "blocked"}
    status, out, _ = bench("plan", suite)
    assert status == 0
    assert "labels: classification on npz-rare: recipe.batch 32 is above" in " ".join(out.split())


def test_shots_are_held_to_what_a_limit_leaves_of_a_class(bench: Bench, suite: Path) -> None:
    recipe = {"batch": 4, "limit": 10}  # of 3 + 17 training images 1 or 2, and the rest
    planned = plan(bench, suite, labels=["2/class", "3/class"], recipe=recipe)
    dataset = resolve("npz:rare.npz", suite.parent)
    cut = limited(load(dataset, suite.parent / "data"), 10).splits["train"]
    few, many = np.bincount(cut.target("labels", Labels).values)
    assert (few, many) == (2, 8)
    assert planned["remarks"] == [
        "npz-rare, 3/class: of training images '0' has 2, so all of these are taken"
    ]


def test_more_than_all_studies_is_told_where_no_file_tells_the_classes(
    bench: Bench, suite: Path
) -> None:
    planned = plan(
        bench,
        suite,
        task="volumes",
        datasets=["phantom-volume"],
        adaptations=["mean"],
        labels=["9/class", "81/class"],
    )
    assert planned["remarks"] == [
        "phantom-volume, 81/class: there are 160 training studies of 2 classes, so of a class "
        "that has fewer all are taken"
    ]


def test_studies_are_called_studies(bench: Bench, suite: Path) -> None:
    root = write_studies(suite.parent / "scans")
    planned = plan(
        bench,
        suite,
        task="volumes",
        datasets=[f"nifti:{root}"],
        adaptations=["mean"],
        labels=["2/class"],
        recipe={"batch": 2},
    )
    assert planned["remarks"][0] == (
        "nifti-scans, 2/class: of training studies 'well' has 1, so all of these are taken"
    )


def test_shots_of_a_class_without_an_image_are_blocked(bench: Bench, suite: Path) -> None:
    (cell,) = plan(bench, suite, datasets=["npz:absent.npz"], labels=["1/class"])["cells"]
    assert cell["state"] == "blocked"
    assert "no training case shows the class '2'" in cell["needs"][0]


def test_the_last_of_several_rates_is_blocked(bench: Bench, suite: Path) -> None:
    recipe = {"selection": "last", "batch": 8}
    cells = plan(bench, suite, adaptations=["linear", "knn", "full"], recipe=recipe)["cells"]
    assert [cell["state"] for cell in cells] == ["blocked", "blocked", "missing"]
    assert "'last' chooses by no validation image" in cells[0]["needs"][0]
