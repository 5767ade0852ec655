"""`phantom-longitudinal`: lesions that spread along a graph of regions, and later grow in them."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Numbers, Split
from omnibench.data.phantom.shapes import Array

GRID, CELL = 4, 16  # regions a side, and their pixels
REGIONS = np.kron(np.arange(GRID**2).reshape(GRID, GRID), np.ones((CELL, CELL), int))
SPREAD, GROWTH = 0.15, 0.9  # a year
SWITCH, SLOW = 5.0, 0.1  # years after onset, until when growth is slower by this factor
SEED, LOAD = 5, 0.8  # the region where it begins, and the load there at onset


def graph(random: np.random.Generator) -> Array:
    """Draw a patient's weights [K, K] of edges between neighbours in the grid: about 1, else 0."""
    row, column = np.divmod(np.arange(GRID**2), GRID)
    steps = abs(row[:, None] - row) + abs(column[:, None] - column)
    weights: Array = np.triu((steps == 1) * random.lognormal(0, 0.2, steps.shape))
    return weights + weights.T


def loads(edges: Array, times: Array) -> Array:
    """Return the share [T, K] of each region that is lesion, at years after onset."""
    laplacian = np.diag(edges.sum(axis=1)) - edges

    def rate(t: float, x: Array) -> Array:
        late = 1 / (1 + np.exp((SWITCH - t) / 0.3))
        growth = (SLOW + (1 - SLOW) * late) * GROWTH * x * (1 - x)
        change: Array = growth - (1 - late) * SPREAD * laplacian @ x
        return change

    start = LOAD * np.eye(GRID**2)[SEED]
    states: Array = solve_ivp(rate, (0, times[-1]), start, t_eval=times, rtol=1e-6).y.T
    return states


def draw(random: np.random.Generator, ground: Array, load: Array) -> Array:
    """Draw a visit, uint8 [H, W]: of a region the share that is its load is bright, on average."""
    spots = random.random(REGIONS.shape) < load[REGIONS]
    image = ground[REGIONS] + 50 * spots + random.normal(0, 10, REGIONS.shape)
    pixels: Array = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


def cohort(name: str, patients: int, seed: int) -> Split:
    """Draw patients with two to four visits each, the first of them 0 to 7 years after onset."""
    random = np.random.default_rng(seed)
    images, states, study, years, edges, onset = (list[Any]() for _ in range(6))
    for patient in range(patients):
        times = np.append(0, random.uniform(0.8, 2, random.integers(1, 4)).cumsum())
        edges.append(graph(random))
        onset.append(-random.uniform(0, 7))
        ground = random.uniform(60, 140, GRID**2)
        states.extend(loads(edges[-1], times - onset[-1]))
        images.extend(draw(random, ground, load) for load in states[-len(times) :])
        study.extend([f"{name}-{patient:03d}"] * len(times))
        years.extend(times)
    return Split(
        ArrayImages(np.stack(images)),
        {"loads": Numbers(np.array(states))},
        study=np.array(study),
        groups=np.array(study),
        place=np.array(years),
        by_study={"graph": Numbers(np.array(edges)), "onset": Numbers(np.array(onset))},
    )


def read(card: DatasetCard, data: Path) -> Dataset:
    """Draw the patients of the splits that the card names, whose numbers they are."""
    splits = {
        name: cohort(name, patients, seed)
        for seed, (name, patients) in enumerate(card.splits.items())
    }
    return Dataset(card, splits)
