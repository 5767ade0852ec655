import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import omnibench.data.medmnist  # noqa: F401  (registers)
from omnibench.catalogue import datasets
from omnibench.data.medmnist3d_facts import FACTS_3D, ORIGINS_3D
from omnibench.data.medmnist_facts import FACTS, ORIGINS, SIZES

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
