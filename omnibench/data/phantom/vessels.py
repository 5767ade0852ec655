"""`phantom-vessels`: trees of vessels whose graph is known exactly, among curves that are none.

A branch parts in two whose radii follow Murray's law r0^3 = r1^3 + r2^3 (Murray 1926), at jittered
angles, until it is thin or leaves the image.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.data.phantom.cases import stream
from omnibench.data.phantom.fields import smooth_field
from omnibench.data.phantom.grid import pixels
from omnibench.data.phantom.reader import digest
from omnibench.data.phantom.shapes import Array

ROOT, THINNEST = 0.055, 0.016  # radii; an image spans -1..1
GENERATIONS = 7
POINTS = 9  # of a branch's line
DISTRACTORS = 4


@dataclass(frozen=True)
class Branch:
    """An edge of the tree.

    Attributes:
        line: float64 [P, 2], x and y from its parent's end to its own.
        parent: its place among the branches, -1 of the root.
    """

    line: Array
    radius: float
    parent: int


def tree(name: str) -> tuple[Branch, ...]:
    """Return the branches of an image's tree, each behind its parent."""
    rng = stream("vessels", name, "tree")
    side = rng.uniform(0, 2 * math.pi)
    start = 0.95 * np.array([math.cos(side), math.sin(side)])
    heading = side + math.pi + rng.uniform(-0.3, 0.3)
    branches: list[Branch] = []
    growing = [(start, heading, ROOT * rng.uniform(0.8, 1.2), -1, 0)]
    while growing:
        at, direction, radius, parent, generation = growing.pop(0)
        line = _curve(rng, at, direction, (4 + 6 * rng.uniform()) * radius + 0.1)
        branches.append(Branch(line, radius, parent))
        end = line[-1]
        if generation == GENERATIONS or np.abs(end).max() > 1:
            continue
        share = rng.uniform(0.3, 0.7)
        turns = rng.uniform(0.25, 0.8, 2) * (1, -1)
        step = line[-1] - line[-2]
        for part, turn in zip((share, 1 - share), turns, strict=True):
            own = radius * part ** (1 / 3)
            if own >= THINNEST:
                ahead = math.atan2(step[1], step[0]) + float(turn)
                growing.append((end, ahead, own, len(branches) - 1, generation + 1))
    return tuple(branches)


def _curve(rng: Generator, at: Array, direction: float, length: float) -> Array:
    """Return a bent line [P, 2] that leaves a point in a direction."""
    way = np.array([math.cos(direction), math.sin(direction)])
    across = np.array([-way[1], way[0]])
    t = np.linspace(0, 1, POINTS)[:, None]
    line: Array = at + length * (t * way + 0.25 * rng.normal() * t**2 * across)
    return line


def _distance(line: Array, reach: float, size: int) -> tuple[tuple[slice, slice], Array]:
    """Return a window of what lies within reach of a line, and each pixel's distance to it."""
    x, y = (axis.ravel() for axis in pixels(size))
    margin = reach + 2 / size
    window = tuple(
        slice(*np.searchsorted(axis, (line[:, k].min() - margin, line[:, k].max() + margin)))
        for k, axis in ((1, y), (0, x))
    )
    # [H, W, P - 1], pixels against segments; each coordinate alone, as an axis of two is slow.
    away = [x[None, window[1], None] - line[:-1, 0], y[window[0], None, None] - line[:-1, 1]]
    steps = np.diff(line, axis=0).T
    along = (away[0] * steps[0] + away[1] * steps[1]) / (steps[0] ** 2 + steps[1] ** 2)
    along = np.clip(along, 0, 1)
    beside = [start + along * step for start, step in zip(line[:-1].T, steps, strict=True)]
    across = [x[None, window[1], None] - beside[0], y[window[0], None, None] - beside[1]]
    distance: Array = np.sqrt((across[0] ** 2 + across[1] ** 2).min(-1))
    return (window[0], window[1]), distance


def draw(name: str, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an image and its mask, uint8 [size, size]; masks hold 1 in vessels."""
    vessels, mask = np.zeros((size, size)), np.zeros((size, size), np.uint8)
    for branch in tree(name):
        window, distance = _distance(branch.line, branch.radius, size)
        inside = distance <= max(branch.radius, 1 / size)
        mask[window] |= inside.astype(np.uint8)
        _shade(vessels[window], distance, branch.radius, size)
    rng = stream("vessels", name, "distractors")
    for _ in range(DISTRACTORS):
        line = _curve(
            rng, rng.uniform(-0.8, 0.8, 2), rng.uniform(0, 2 * math.pi), rng.uniform(0.4, 1)
        )
        window, distance = _distance(line, THINNEST, size)
        _shade(vessels[window], distance, THINNEST * rng.uniform(0.6, 1.0), size)
    ground = 0.35 + 0.06 * smooth_field(stream("vessels", name, "ground"), size, 9)
    noise = stream("vessels", name, "noise", size).normal(0, 0.05, (size, size))
    image = ground + 0.3 * vessels + noise
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), mask


def _shade(image: Array, distance: Array, radius: float, size: int) -> None:
    """Lay a round tube over an image, in place: as bright as it is thick, soft at its edge."""
    wide = max(radius, 1.5 / size)
    np.maximum(image, np.sqrt(np.clip(1 - (distance / wide) ** 2, 0, 1)), out=image)


def centreline(name: str, size: int) -> NDArray[np.bool_]:
    """Return the pixels that the lines of an image's tree run through, [size, size]."""
    lines = np.zeros((size, size), bool)
    for branch in tree(name):
        for x, y in _dense(branch.line, size):
            lines[y, x] = True
    return lines


def _dense(line: Array, size: int) -> Iterator[tuple[int, int]]:
    """Yield the pixels of a line, from a sample in every tenth of a pixel."""
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum()
    along = np.concatenate([[0], steps])
    at = np.arange(0, along[-1], 0.2 / size)
    places = [np.interp(at, along, line[:, k]) for k in (0, 1)]
    columns, rows = (((place + 1) * size / 2).astype(int) for place in places)
    inside = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    yield from zip(columns[inside].tolist(), rows[inside].tolist(), strict=True)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits that the card names, at its resolution; each image is a patient."""
    size = card.resolution or 96
    splits = {}
    for name, count in card.splits.items():
        names = [f"{name}-{index:05d}" for index in range(count)]
        pairs = [draw(own, size) for own in names]
        images, masks = (ArrayImages(np.stack(part)) for part in zip(*pairs, strict=True))
        splits[name] = Split(images, {"masks": Masks(masks)}, groups=np.array(names))
    digests = {f"{name}_images": digest(split.images) for name, split in splits.items()}
    return Dataset(card, splits, digests)
