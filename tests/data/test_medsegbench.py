import importlib.util
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.data.medsegbench  # noqa: F401  (registers)
from omnibench.catalogue import datasets
from omnibench.data.masks import class_indexed
from omnibench.data.medsegbench_facts import FACTS, MASK_CLASSES, SIZES
from omnibench.data.sources import load
from tests.target_values import masks_of

STUDY = ["busi", "covidquex", "fhpsaop", "mosmedplus"]
STUDY += ["pandental", "promise12", "ultrasoundnerve", "usforkidney"]
SPDX = {
    "BSD-3": "BSD-3-Clause",
    "CC0": "CC0-1.0",
    "CC0: Public Domain": "CC0-1.0",
    "GPL 2": "GPL-2.0",
    "Modified Apache 2.0": "Modified Apache-2.0",
}


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    package = importlib.util.find_spec("medsegbench")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package medsegbench is not installed")
    # the facts alone: importing the package imports torch; they make a folder in the home
    path = Path(package.submodule_search_locations[0]) / "info.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "HOME", str(tmp_path_factory.mktemp("home")))
        return dict(runpy.run_path(str(path))["INFO"])


def test_all_sets_are_there_the_study_s_first(info: dict[str, Any]) -> None:
    assert set(FACTS) == set(info)
    assert len(FACTS) == 35
    assert list(FACTS)[:8] == STUDY


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FACTS)
def test_cards_state_the_official_facts(name: str, size: int, info: dict[str, Any]) -> None:
    card = datasets.get(name if size == 512 else f"{name}-{size}")
    official = info[name]
    file = f"medsegbench/{name}_{size}.npz"
    assert card.files == {file: f"md5:{official[f'MD5_{size}'].strip()}"}
    assert card.urls == {file: (official[f"url_{size}"],)}
    assert card.splits == {split: official["n_samples"][split] for split in card.splits}
    assert card.mask_classes == tuple(official["pixel_labels"].values())
    assert card.channels == official["n_channels_im"]
    assert card.resolution == size
    assert (card.tasks, card.primary) == (("segmentation",), {"segmentation": "dice"})
    values = list(official["pixel_labels"])
    if "non-zero" in values:
        assert (values, card.reader) == (["0", "non-zero"], "omnibench.data.masks:read_foreground")
    else:
        assert values == [str(value) for value in range(len(values))]
        assert card.reader == "omnibench.data.npz:read"


@pytest.mark.parametrize("name", FACTS)
def test_licences(name: str, info: dict[str, Any]) -> None:
    official, ours = info[name]["license"].strip(". "), FACTS[name].licence
    if official in SPDX:
        assert ours == SPDX[official]
    elif official.startswith("CC"):
        assert ours == official.replace(" ", "-")
    else:  # sentences: none of them is an open licence
        assert ours in (
            "unknown",
            "non-commercial",
            "research and education only",
            "research and comparison",
        )


def test_the_task_fits_the_classes(info: dict[str, Any]) -> None:
    multi_class = {name for name, official in info.items() if official["task"] == "multi-class"}
    assert multi_class == set(MASK_CLASSES)


@pytest.mark.parametrize(("name", "values"), [("pandental", (0, 1, 7, 255)), ("drive", (0, 255))])
def test_a_file_with_foreground_of_other_values(
    name: str, values: tuple[int, ...], save: Callable[..., Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    card = datasets.get(name)
    pixel = (3,) if card.channels == 3 else ()
    content = {}
    for split in card.splits:
        content[f"{split}_images"] = rng.integers(0, 256, (2, 8, 8, *pixel), dtype=np.uint8)
        content[f"{split}_label"] = rng.choice(np.array(values, np.uint8), (2, 8, 8))
    path = save(content)
    own = card.model_copy(
        update={"path": str(path), "resolution": 8, "splits": {}, "files": {}, "urls": {}}
    )
    actual = masks_of(class_indexed(load(own, tmp_path)).splits["val"])
    assert actual is not None
    np.testing.assert_array_equal(actual.read(0, 2), content["val_label"] > 0)


def test_registering_imports_neither_numpy_nor_torch() -> None:
    code = (
        "import sys, omnibench.data.medsegbench; "
        "sys.exit(str(sorted({'numpy', 'torch', 'medsegbench', 'PIL'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
