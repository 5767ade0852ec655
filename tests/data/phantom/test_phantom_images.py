"""What the images show: each modality's own signs of each lesion, and nothing else of the class."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.data.phantom import KINDS
from omnibench.data.phantom.canvas import mask
from omnibench.data.phantom.cases import Case, case
from omnibench.data.phantom.reader import draw
from omnibench.data.phantom.views import VIEWS

CASES = [case("images", index) for index in range(600)]


def shows(modality: str, kind: str, technique: str = "") -> Iterator[Case]:
    for shown in CASES:
        seen = shown.view.modality == modality and technique in shown.technique
        if seen and KINDS[shown.label] == kind:
            yield shown


def change(shown: Case, size: int = 96) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return what the lesion changes in the image (same noise without it), and where it is."""
    with_lesion = draw(shown, size).astype(float)
    without = draw(replace(shown, lesion=None), size).astype(float)
    return with_lesion - without, mask(shown, size) == 2


def mean_change(cases: Iterator[Case]) -> list[float]:
    pairs = [change(shown) for shown in cases]
    assert len(pairs) >= 5
    return [float(difference[where].mean()) for difference, where in pairs]


@pytest.mark.parametrize("modality", VIEWS)
def test_masks_agree_between_sizes(modality: str) -> None:
    """64 pixels against 448 seen at the 64 centres (448 = 7 x 64, so they coincide)."""
    overlap: dict[int, list[float]] = {1: [], 2: []}
    for shown in [s for s in CASES if s.view.modality == modality][:20]:
        small, large = mask(shown, 64), mask(shown, 448)[3::7, 3::7]
        for value, scores in overlap.items():
            a, b = small == value, large == value
            if a.any() or b.any():
                scores.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    assert min(overlap[1] + overlap[2]) > 0.99


@pytest.mark.parametrize("modality", VIEWS)
def test_images_agree_between_sizes(modality: str) -> None:
    """Averaged down to 64 pixels, a larger image is the same body (its noise differs)."""
    for shown in [s for s in CASES if s.view.modality == modality][:5]:
        small = draw(shown, 64).astype(float)
        large = draw(shown, 192).reshape(64, 3, 64, 3).mean(axis=(1, 3))
        assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.75


def test_masks_hold_organ_and_lesion() -> None:
    for shown in CASES[:100]:
        values = mask(shown, 64)
        assert values.dtype == np.uint8
        assert set(np.unique(values)) == ({0, 1, 2} if shown.label else {0, 1})
        assert (values == 1).sum() > 60


def test_mr_changes_nowhere_but_at_the_lesion() -> None:
    for kind in KINDS[1:]:
        difference, where = change(next(shows("MR", kind)), 128)
        grown = where.copy()
        for axis in (0, 1):
            grown |= np.roll(grown, 1, axis) | np.roll(grown, -1, axis)
        assert np.abs(difference[where]).mean() > 3
        assert not difference[~grown].any()


def test_a_cyst_is_bright_on_t2_and_dark_on_t1() -> None:
    assert np.mean(mean_change(shows("MR", "cyst", "T2"))) > 20
    assert np.mean(mean_change(shows("MR", "cyst", "T1"))) < -10


def test_a_cyst_is_black_in_ultrasound_and_brighter_behind() -> None:
    behind = []
    for shown in shows("ultrasound", "cyst"):
        difference, where = change(shown)
        assert difference[where].mean() < -20
        deepest = np.flatnonzero(where.any(axis=1)).max()
        behind.append(difference[deepest + 2 :][:, where.any(axis=0)].mean())
    assert np.mean(behind) > 2


def test_calcium_casts_a_shadow_in_ultrasound() -> None:
    shadows = []
    for shown in shows("ultrasound", "calcified-nodule"):
        difference, where = change(shown)
        deepest = np.flatnonzero(where.any(axis=1)).max()
        shadows.append(difference[deepest + 2 :][:, where.any(axis=0)].mean())
    assert np.mean(shadows) < -5


def test_calcium_is_bright_in_ct() -> None:
    for shown in shows("CT", "calcified-nodule"):
        if shown.view.organ != "lung":
            difference, where = change(shown)
            assert difference[where].max() > 40


@pytest.mark.parametrize("kind", ["solid-mass", "spiculated-mass", "calcified-nodule"])
def test_masses_are_opaque_in_radiographs(kind: str) -> None:
    assert min(mean_change(shows("radiograph", kind))) > 2


def test_ct_noise_grows_with_the_path_through_the_body() -> None:
    """Two noises of one body: their difference is larger within the body than outside."""
    shown = next(s for s in shows("CT", "no-lesion") if s.view.organ == "liver")
    loud = replace(shown, noise=1.0)
    inside = mask(loud, 128) == 1
    difference = draw(loud, 128).astype(float) - draw(replace(loud, name="other"), 128)
    quiet = draw(replace(loud, noise=0.0), 128).astype(float) - draw(
        replace(loud, noise=0.0, name="other"), 128
    )
    assert difference[inside].std() > 1.1 * quiet[inside].std()
