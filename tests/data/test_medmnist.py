import hashlib
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.data.medmnist  # noqa: F401  (registers)
from omnibench.catalogue import datasets
from omnibench.data import Labels
from omnibench.data.medmnist3d_facts import FACTS_3D, ORIGINS_3D
from omnibench.data.medmnist_facts import FACTS, ORIGINS, SIZES
from omnibench.data.npz import read

KINDS = {
    "binary-class": "binary",
    "multi-class": "multi-class",
    "ordinal-regression": "ordinal",
    "multi-label, binary-class": "multi-label",
}


@pytest.fixture(scope="module")
def info() -> dict[str, Any]:
    package = importlib.util.find_spec("medmnist")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package medmnist is not installed")
    # the facts alone: importing the package imports torch
    path = Path(package.submodule_search_locations[0]) / "info.py"
    return dict(runpy.run_path(str(path))["INFO"])


def test_all_sets_are_there(info: dict[str, Any]) -> None:
    assert set(FACTS) == {name for name in info if not name.endswith("3d")} == set(ORIGINS)
    assert set(FACTS_3D) == {name for name in info if name.endswith("3d")} == set(ORIGINS_3D)
    assert (len(FACTS), len(FACTS_3D)) == (12, 6)


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, size) for name in FACTS for size in SIZES)]
    + [(name, size) for name in FACTS_3D for size in (28, 64)],
)
def test_cards_state_the_official_facts(name: str, size: int, info: dict[str, Any]) -> None:
    largest = 64 if name in FACTS_3D else 224
    card = datasets.get(name if size == largest else f"{name}-{size}")
    official = info[name]
    suffix = "" if size == 28 else f"_{size}"
    file = f"medmnist/{name}{suffix}.npz"
    assert card.files == {file: f"md5:{official[f'MD5{suffix}']}"}
    assert card.urls == {file: (official[f"url{suffix}"],)}
    assert card.splits == official["n_samples"]
    assert card.classes == tuple(official["label"].values())
    assert card.channels == official["n_channels"]
    assert card.labels == KINDS[official["task"]]
    assert card.licence.replace("-", "") == official["license"].replace(" ", "").replace("-", "")
    assert card.resolution == size
    assert card.images_per_study == (size if name in FACTS_3D else None)
    assert card.tasks == (("volumes",) if name in FACTS_3D else ("classification",))


def test_primary_metrics() -> None:
    assert datasets.get("breastmnist").primary == {"classification": "macro-f1"}
    assert datasets.get("chestmnist-64").primary == {"classification": "auc"}
    assert datasets.get("organmnist3d").primary == {"volumes": "macro-f1"}


def test_registering_imports_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, omnibench.data.medmnist; "
        "sys.exit(str(sorted({'numpy', 'torch', 'medmnist', 'PIL'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(("name", "side"), [("organmnist3d-28", 28), ("organmnist3d", 64)])
def test_volumes_of_the_official_layout_become_studies_of_their_slices(
    name: str, side: int, tmp_path: Path
) -> None:
    card, rng = datasets.get(name), np.random.default_rng(side)
    counts = {"train": 11, "val": 2, "test": 3}
    arrays: dict[str, Any] = {}
    for split, count in counts.items():
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, side, side, side), np.uint8)
        arrays[f"{split}_labels"] = np.arange(count, dtype=np.uint8)[:, None]
    [file] = card.files
    (tmp_path / "medmnist").mkdir()
    np.savez(tmp_path / file, **arrays)
    checksum = hashlib.md5((tmp_path / file).read_bytes()).hexdigest()
    own = {"files": {file: f"md5:{checksum}"}, "splits": counts}
    dataset = read(card.model_copy(update=own), tmp_path)
    for split, part in dataset.splits.items():
        slices = arrays[f"{split}_images"].reshape(-1, side, side)
        np.testing.assert_array_equal(part.images.read(0, len(part)), slices)
        assert part.cases == counts[split]
        assert part.target("labels", Labels).values.tolist() == list(range(counts[split]))
