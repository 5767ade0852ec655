"""`phantom-volume`: what its studies hold, and what tells the lesion and what does not."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from omnibench.data import Labels, Split
from omnibench.data.phantom import VOLUME_CARD
from omnibench.data.phantom.bodies import ROUND, SLICES, STEP, VIEWS, study
from omnibench.data.phantom.solids import Ellipsoid, Rod
from omnibench.data.phantom.volumes import draw, generate, read
from tests.target_values import labels_of, masks_of

SIZE, COUNT = 48, 60
# Raise VERSION, then this, when pixels change on purpose.
FIRST_THREE = "16b312e1af5f27db"
STUDIES = [study("train", index) for index in range(400)]


@pytest.fixture(scope="module")
def split() -> Split:
    return generate("train", COUNT, SIZE)


def pixels_of(split: Split) -> NDArray[np.float64]:
    return split.images.read(0, len(split)).astype(float)


def images_of(split: Split, case: int) -> NDArray[np.int64]:
    return np.flatnonzero(split.study_of_image == case)


def slices_with_lesion(split: Split, view: str) -> NDArray[np.int64]:
    """Return how many slices of a view show the lesion, by study; -1 where it was not taken."""
    shown = split.target("shown", Labels).values
    masks = [(split.study_of_image == case) & (split.view == view) for case in range(split.cases)]
    return np.array([shown[mask].sum() if mask.any() else -1 for mask in masks])


def test_the_card_is_read(tmp_path: Path) -> None:
    few = {"splits": {"train": 6, "val": 3, "test": 4}, "resolution": 32}
    dataset = read(VOLUME_CARD.model_copy(update=few), tmp_path)
    for name, part in dataset.splits.items():
        assert part.cases == few["splits"][name]  # type: ignore[index]
        assert part.images.shape == masks_of(part).shape == (len(part), 32, 32)
        assert part.place is not None and part.view is not None
        for case in range(part.cases):
            rows = images_of(part, case)
            stacks = len(rows) // SLICES
            assert part.place[rows].tolist() == list(range(SLICES)) * stacks
            assert part.view[rows].tolist() == sorted(part.view[rows].tolist())
    train = dataset.splits["train"]
    pixels = train.images.read(0, len(train))
    assert dataset.digests["train_images"] == f"sha256:{hashlib.sha256(pixels.data).hexdigest()}"


def test_studies_are_those_of_this_version_however_many_are_drawn(split: Split) -> None:
    few = generate("train", 3, SIZE)
    pixels = few.images.read(0, len(few))
    assert np.array_equal(pixels, split.images.read(0, len(few)))
    assert hashlib.sha256(pixels.data).hexdigest()[:16] == FIRST_THREE


def test_labels_are_balanced_and_splits_share_no_patient(split: Split) -> None:
    assert COUNT % ROUND == 0 and labels_of(split).sum() == COUNT // 2
    other = generate("test", ROUND, 16)
    patients = [part.case_groups.tolist() for part in (split, other)]  # type: ignore[union-attr]
    assert not set(patients[0]) & set(patients[1])
    assert {patients[0].count(patient) for patient in patients[0]} == {1, 2}


def test_views_are_absent_now_and_then_and_tell_nothing_of_the_lesion() -> None:
    for view, share in (("sagittal", 0.25), ("axial", 0.05)):
        absent = np.array([view not in shown.views for shown in STUDIES])
        assert absent.mean() == pytest.approx(share, abs=3 * math.sqrt(share / 400))
        ill = np.array([shown.form is not None for shown in STUDIES])
        spread = math.sqrt(share / 200 * 2)
        assert absent[ill].mean() == pytest.approx(absent[~ill].mean(), abs=3 * spread)
    images = SLICES * sum(len(shown.views) for shown in STUDIES) / len(STUDIES)
    assert VOLUME_CARD.images_per_study == pytest.approx(images, abs=1.5)


def test_lesions_show_on_two_to_five_slices_or_fill_one(split: Split) -> None:
    forms = [shown.form for shown in STUDIES[:COUNT]]
    counts = {view: slices_with_lesion(split, view) for view in VIEWS}
    for index, form in enumerate(forms):
        for view, flat in (("axial", "flat"), ("sagittal", "tall")):
            count = counts[view][index]
            if form is None:
                assert count <= 0
            elif count >= 0:
                assert count == 1 if form == flat else 2 <= count <= 5
    assert set(forms) == {None, "round", "flat", "tall"}


def test_masks_have_the_volume_of_the_lesions_ellipsoid() -> None:
    """4/3 pi a b c, from the 24 slices of 96 x 96 pixels of each view."""
    ratios = []
    for shown in STUDIES[:40]:
        lesion = next((part.solid for part in shown.tissues if part.role == "lesion"), None)
        if shown.form != "round" or not isinstance(lesion, Ellipsoid):
            continue
        for view in VIEWS:
            voxels = (draw(shown, view, 96)[1] == 2).sum() * STEP * (2 / 96) ** 2
            ratios.append(voxels / (4 / 3 * math.pi * math.prod(lesion.axes)))
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)


def test_both_views_cut_one_body() -> None:
    """Where their planes cross, the masks of two views of one study agree but at the edges."""
    shown = next(own for own in STUDIES if own.form == "round")
    axial, sagittal = (draw(shown, view, SLICES)[1] for view in VIEWS)
    assert np.array_equal(axial, sagittal.transpose(1, 2, 0))  # [x, z, y] to [z, y, x]


def test_brightness_does_not_tell_the_lesion_and_its_slice_does() -> None:
    part = generate("val", 120, SIZE)
    pixels, masks = pixels_of(part), masks_of(part).read(0, len(part))
    labels = labels_of(part)
    rows = [images_of(part, case) for case in range(part.cases)]
    # By chance, with half of 84 patients ill: .5, with a standard error of .06 or less.
    for statistic in (np.mean, np.std):
        scores = [statistic(pixels[own]) for own in rows]
        assert roc_auc_score(labels, scores) == pytest.approx(0.5, abs=0.15)
    darkness = []
    for own in rows:
        areas = [(masks[own] == value).sum(axis=(1, 2)) for value in (2, 1)]
        best = own[(areas[0] if areas[0].any() else areas[1]).argmax()]
        inside = pixels[best][masks[best] > 0]
        darkness.append(np.median(inside) - np.quantile(inside, 0.02))
    assert roc_auc_score(labels, darkness) > 0.9


def test_depths_of_solids_are_distances() -> None:
    rod = Rod((0, 0, -0.5), (0, 0, 0.5), 0.1)
    places = np.array([[0, 0, 0], [0, 0.3, 0], [0, 0, 0.9], [0.3, 0.4, 0.5]]).T
    assert rod.depth(*places) == pytest.approx([0.1, -0.2, -0.3, -0.4])
    ball = Ellipsoid((0, 0, 0), (0.5, 0.5, 0.5))
    assert ball.depth(*places) == pytest.approx(0.5 - np.linalg.norm(places, axis=0))
    endless = Ellipsoid((0, 0, 0), (math.inf, 0.5, 0.5))
    assert endless.depth(*places) == pytest.approx(0.5 - np.linalg.norm(places[1:], axis=0))
