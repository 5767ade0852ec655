import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from omnibench.catalogue import datasets
from omnibench.data import Dataset, Masks
from omnibench.data.mni152 import rows_of_splits
from omnibench.data.mni152_contrasts import (
    CONTRASTS,
    GREY,
    HEADROOM,
    HELD,
    LIQUOR,
    NOISE,
    TISSUES,
    WHITE,
    inversion_time,
    read,
    signal,
)

pytest.importorskip("nilearn")
CARD = datasets.get("mni152-contrasts")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return read(CARD, tmp_path_factory.mktemp("data"))


def relaxed(start: float, t1: float, time: float) -> float:
    """Return the longitudinal magnetisation after a time, by the Bloch equation."""
    course = solve_ivp(lambda _, m: (1 - m) / t1, (0, time), [start], rtol=1e-10, atol=1e-12)
    return float(course.y[0, -1])


def test_signals_follow_the_bloch_equation() -> None:
    """Excited again and again, in the limit of a short echo time."""
    for tissue, sequence in product(TISSUES, CONTRASTS.values()):
        along = 0.0  # behind an excitation by 90 degrees nothing is left along the field
        if sequence.nulled is None:
            along = relaxed(along, tissue.t1, sequence.repetition)
        else:
            inversion = inversion_time(sequence.nulled, sequence.repetition)
            before = relaxed(along, tissue.t1, sequence.repetition - inversion)
            along = relaxed(-before, tissue.t1, inversion)
        echo = tissue.density * abs(along) * math.exp(-sequence.echo / tissue.t2)
        assert signal(tissue, sequence) == pytest.approx(echo, rel=1e-6, abs=1e-9)


def test_contrasts_are_what_radiologists_know() -> None:
    bright = {
        name: [signal(tissue, sequence) for tissue in (LIQUOR, GREY, WHITE)]
        for name, sequence in CONTRASTS.items()
    }
    assert bright["T1w"] == sorted(bright["T1w"])  # liquor is dark, white matter bright
    assert bright["T2w"] == sorted(bright["T2w"], reverse=True)
    assert bright["FLAIR"][0] == pytest.approx(0, abs=1e-12)
    assert bright["FLAIR"][1] > bright["FLAIR"][2]
    assert bright["PD"][1] > bright["PD"][2]


def test_studies_hold_what_is_declared(dataset: Dataset) -> None:
    assert tuple(CONTRASTS) == CARD.views
    assert HELD[0] == CARD.views
    for name, split in dataset.splits.items():
        assert split.cases == CARD.splits[name]
        assert split.view is not None
        for case in range(split.cases):
            held = tuple(split.view[split.images_of(case)].tolist())
            assert held == (HELD[case % len(HELD)] if name == "train" else CARD.views)
    train = dataset.splits["train"]
    assert CARD.images_per_study == pytest.approx(
        sum(map(len, dataset.splits.values())) / sum(CARD.splits.values()), abs=0.1
    )
    assert train.cases == len(rows_of_splits()["train"])


def test_pixels_are_signals_under_rician_noise(dataset: Dataset) -> None:
    split = dataset.splits["test"]
    masks = dataset.target("test", "masks", Masks).images.read(0, split.cases)
    assert split.view is not None
    for name, sequence in CONTRASTS.items():
        images = split.images.read_rows(np.flatnonzero(split.view == name))
        brightest = max(signal(tissue, sequence) for tissue in TISSUES)
        air = images[masks == 0] / 255 * HEADROOM
        inner = air[air < 0.3]  # without the rim, where a part of a voxel is tissue
        assert inner.mean() == pytest.approx(NOISE * math.sqrt(math.pi / 2), rel=0.1)
        means = [images[masks == label].mean() / 255 * HEADROOM for label in (1, 2)]
        for mean, tissue in zip(means, (GREY, WHITE), strict=True):
            assert mean == pytest.approx(signal(tissue, sequence) / brightest, abs=0.12)


def test_drawing_twice_gives_the_same_pixels(dataset: Dataset, tmp_path: Path) -> None:
    again = read(CARD, tmp_path).splits["val"].images.read(0, 36)
    pixels = dataset.splits["val"].images.read(0, 36)
    np.testing.assert_array_equal(again, pixels)
    assert (pixels[0] != pixels[1]).any()
