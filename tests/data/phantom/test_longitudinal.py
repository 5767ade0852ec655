"""`phantom-longitudinal`: loads against small steps over edges, and images against loads."""

from pathlib import Path

import numpy as np
import pytest

from omnibench.catalogue import datasets
from omnibench.data import Dataset, Numbers
from omnibench.data.phantom.longitudinal import (
    GRID,
    GROWTH,
    LOAD,
    REGIONS,
    SEED,
    SLOW,
    SPREAD,
    SWITCH,
    graph,
    loads,
    read,
)

STEP = 0.01


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    card = datasets.get("phantom-longitudinal").model_copy(update={"splits": {"train": 20}})
    return read(card, Path())


def test_loads_are_those_of_small_steps_along_edges() -> None:
    edges = graph(np.random.default_rng(0))
    joined = [(i, j, edges[i, j]) for i, j in np.argwhere(np.triu(edges)).tolist()]
    assert len(joined) == 2 * GRID * (GRID - 1)
    assert (edges == edges.T).all()
    x = LOAD * np.eye(GRID**2)[SEED]
    states = {0: x.copy()}
    for step in range(1000):
        late = 1 / (1 + np.exp((SWITCH - (step + 0.5) * STEP) / 0.3))
        change = (SLOW + (1 - SLOW) * late) * GROWTH * x * (1 - x)
        for i, j, weight in joined:
            flow = (1 - late) * SPREAD * weight * (x[i] - x[j])
            change[i] -= flow
            change[j] += flow
        x = x + STEP * change
        states[step + 1] = x
    solved = loads(edges, np.array([0, 2, 5, 10.0]))
    np.testing.assert_allclose(solved, [states[t] for t in (0, 200, 500, 1000)], atol=5e-3)


def test_visits_follow_each_other_and_images_show_their_loads(dataset: Dataset) -> None:
    split = dataset.splits["train"]
    assert split.place is not None
    patient, counts = split.study_of_image, np.bincount(split.study_of_image)
    assert set(counts) == {2, 3, 4}
    first = np.append(True, np.diff(patient) > 0)
    assert (split.place[first] == 0).all()
    assert (np.diff(split.place)[~first[1:]] >= 0.8).all()
    onset = dataset.target("train", "onset", Numbers).values
    assert len(onset) == 20
    assert ((onset <= 0) & (onset > -7)).all()
    own = dataset.target("train", "loads", Numbers).values
    edges = dataset.target("train", "graph", Numbers).values
    for row in np.flatnonzero(first)[:3]:
        start = loads(edges[patient[row]], np.array([-onset[patient[row]]]))[0]
        np.testing.assert_allclose(own[row], start, atol=1e-4)
    # A lesion adds 50 to a pixel: what regions gain in brightness from the first visit to the last.
    images = split.images.read_rows(np.arange(len(split))).astype(float)
    means = np.array(
        [[image[region == REGIONS].mean() for region in range(16)] for image in images]
    )
    last = np.append(np.flatnonzero(first)[1:], len(first)) - 1
    gain = means[last] - means[first]
    np.testing.assert_allclose(gain, 50 * (own[last] - own[first]), atol=15)
    assert np.corrcoef(gain.ravel(), (own[last] - own[first]).ravel())[0, 1] > 0.9


def test_patients_repeat(dataset: Dataset) -> None:
    again = read(dataset.card, Path()).splits["train"]
    rows = np.arange(len(again))
    images = dataset.splits["train"].images.read_rows(rows)
    assert (images == again.images.read_rows(rows)).all()
