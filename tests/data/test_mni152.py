import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.data import Dataset, mni152
from omnibench.data.masks import class_indexed
from omnibench.data.mni152 import CARD, GAP, rows_of_splits
from omnibench.data.sources import load, missing, source_digest
from omnibench.errors import DataError
from tests.target_values import masks_of

needs_nilearn = pytest.mark.skipif(
    importlib.util.find_spec("nilearn") is None, reason="the package nilearn is not installed"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load(CARD, tmp_path_factory.mktemp("data"))


def mask_values(dataset: Dataset, split: str) -> NDArray[np.uint8]:
    return masks_of(dataset.splits[split]).read(0, len(dataset.splits[split]))


def test_no_two_splits_are_neighbours() -> None:
    rows = rows_of_splits()
    assert {split: len(actual) for split, actual in rows.items()} == CARD.splits
    owners = sorted((row, split) for split, actual in rows.items() for row in actual)
    for (row, split), (following, other) in pairwise(owners):
        assert following - row == (1 if split == other else GAP + 1)


@needs_nilearn
def test_images_and_masks(dataset: Dataset) -> None:
    for split, count in CARD.splits.items():
        images = dataset.splits[split].images
        masks = mask_values(dataset, split)
        assert images.shape == masks.shape == (count, 160, 160)
        pixels = images.read(0, count)
        assert not masks[pixels == 0].any()  # tissue is seen wherever the mask has some
        assert all(len(np.unique(mask)) == 3 for mask in masks)
        assert pixels[masks == 2].mean() > pixels[masks == 1].mean() + 20  # T1: white is brighter
        groups = dataset.splits[split].groups
        assert groups is not None
        assert set(groups) == {"mni152"}
    assert class_indexed(dataset).card == CARD


@needs_nilearn
def test_slices_are_cut_from_the_volume_head_up(dataset: Dataset) -> None:
    import nibabel

    package = importlib.util.find_spec("nilearn")
    assert package is not None
    assert package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "data"

    def volume(kind: str) -> NDArray[Any]:
        image = nibabel.load(folder / f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz")
        assert isinstance(image, nibabel.Nifti1Image)
        return image.get_fdata()

    t1, grey, white = (volume(kind) for kind in ("t1", "gm", "wm"))
    images = dataset.splits["val"].images.read(0, 9)
    assert images.sum() == t1[:, rows_of_splits()["val"]].sum()  # nothing of the brain is cut off
    rng = np.random.default_rng(0)
    masks = mask_values(dataset, "val")
    for _ in range(200):
        index, down, across = rng.integers(9), rng.integers(160), rng.integers(160)
        place = (18 + across, rows_of_splits()["val"][index], 159 - down)
        assert images[index, down, across] == t1[place]
        shares = (255 - grey[place] - white[place], grey[place], white[place])
        assert masks[index, down, across] == shares.index(max(shares))


@needs_nilearn
def test_copying_the_most_alike_training_mask_does_not_solve_it(dataset: Dataset) -> None:
    train, test = mask_values(dataset, "train"), mask_values(dataset, "test")
    for mask in test[::5]:
        dice = [
            2
            * ((train == value) & (mask == value)).sum(axis=(1, 2))
            / ((train == value).sum(axis=(1, 2)) + (mask == value).sum())
            for value in (1, 2)
        ]
        assert np.mean(dice, axis=0).max() < 0.7


def test_its_source_digest_is_its_version(tmp_path: Path) -> None:
    assert source_digest(CARD, tmp_path) == f"mni152@{mni152.VERSION}"
    assert not any(tmp_path.iterdir())  # nothing was hashed


def test_without_nilearn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert missing(CARD, tmp_path) == [
        "data mni152: run `pip install nilearn`, which ships its images"
    ]
    with pytest.raises(DataError, match="data mni152: run `pip install nilearn`"):
        load(CARD, tmp_path)


def test_fetching_says_that_it_comes_with_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from omnibench.commands.stocking import datasets
    from omnibench.session import Places

    places = Places(data=tmp_path)
    monkeypatch.setattr("omnibench.data.sources.missing", lambda *_: [])
    assert datasets("fetch", ("mni152",), places, as_json=False) == 0
    assert "mni152: there, shipped by the package nilearn" in capsys.readouterr().out
    monkeypatch.setattr("omnibench.data.sources.missing", lambda *_: ["data mni152: run `pip`"])
    assert datasets("fetch", ("mni152",), places, as_json=False) == 1
    assert capsys.readouterr().err == "mni152: run `pip`\n"
    assert datasets("fetch", ("phantom",), places, as_json=False) == 0
    assert "nothing to fetch" in capsys.readouterr().out


@needs_nilearn
def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mni152.FILES, "wm", "0" * 64)
    with pytest.raises(DataError, match=r"icbm152_wm_.* is not the file that mni152 is made from"):
        load(CARD, tmp_path)


def test_registering_imports_nothing_heavy() -> None:
    heavy: list[Any] = ["numpy", "torch", "nilearn", "nibabel"]
    code = (
        "import sys, omnibench.data.mni152 as mni152, pathlib; "
        "from omnibench.data.sources import missing; missing(mni152.CARD, pathlib.Path()); "
        f"sys.exit(str(sorted(set({heavy}) & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "[]"
