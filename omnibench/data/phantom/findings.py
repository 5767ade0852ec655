"""Draws `phantom-findings`: none to three lesions of unlike kinds in each image."""

import functools
import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Labels, Split
from omnibench.data.phantom import FINDINGS, KINDS
from omnibench.data.phantom.anatomy import place_in
from omnibench.data.phantom.cases import Case, case, stream
from omnibench.data.phantom.lesions import LESIONS, Lesion, Site
from omnibench.data.phantom.reader import digest, draw
from omnibench.data.phantom.shapes import Either, Shape
from omnibench.data.phantom.views import EASY

MOST = 3  # lesions in an image
SHARES = (0.45, 0.35, 0.25, 0.15)  # of patients with each kind, before the fourth is taken away
PLACES = 12  # that are tried for each further lesion
RADII = (0.12, 0.18)
SETTING = replace(
    EASY,
    views={
        modality: tuple(replace(view, radii=RADII) for view in views)
        for modality, views in EASY.views.items()
    },
)


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits that the card names, at its resolution; nothing is read from `data_dir`."""
    size = card.resolution or 64
    splits = {name: generate(name, count, size) for name, count in card.splits.items()}
    return Dataset(card, splits, {f"{n}_images": digest(own.images) for n, own in splits.items()})


@lru_cache(maxsize=6)  # datasets take turns, as that of a pretraining and of its kNN do
def generate(split: str, count: int, size: int) -> Split:
    """Draw the first `count` images of a split, `size` pixels wide.

    Image i depends on the split's name, i and the size alone. One patient's one to three images
    follow each other and show the same findings, at other places.

    Returns:
        A split with images uint8 [count, size, size], labels [count, 4] whether an image shows
        each of `FINDINGS`, and patients as groups.
    """
    cases = [findings_case(split, index) for index in range(count)]
    return Split(
        images=ArrayImages(np.stack([draw(shown, size) for shown, _ in cases])),
        targets={"labels": Labels(np.array([labels for _, labels in cases], np.int64))},
        groups=np.array([shown.patient for shown, _ in cases], np.str_),
    )


def findings_case(split: str, index: int) -> tuple[Case, tuple[bool, ...]]:
    """Return image `index` of a split before it is drawn, and whether it shows each finding.

    Body, pose and technique are those of a phantom's case of another name.
    """
    shown = case(f"findings-{split}", index, SETTING)
    labels = _findings(shown.patient)
    kinds = [kind for kind, there in zip(FINDINGS, labels, strict=True) if there]
    lesions = [
        LESIONS[kind](site, stream(shown.name, kind))
        for kind, site in zip(kinds, _sites(shown, len(kinds)), strict=True)
    ]
    first = KINDS.index(kinds[0]) if kinds else 0
    return replace(shown, label=first, lesion=_together(lesions)), labels


def _findings(patient: str) -> tuple[bool, ...]:
    """Draw which kinds a patient has, each by itself; of four the last is left out."""
    labels = (stream(patient, "findings").random(len(SHARES)) < SHARES).tolist()
    if sum(labels) > MOST:
        labels[-1] = False
    return tuple(labels)


def _sites(shown: Case, count: int) -> list[Site]:
    """Return where lesions grow: each further one farthest from the others of some places."""
    rng, sites = stream(shown.name, "sites"), [shown.site]
    while len(sites) < count:
        radius = rng.uniform(*RADII)
        places = [place_in(shown.parts, shown.pose, shown.fan, radius, rng) for _ in range(PLACES)]
        distances = [min(math.dist(at, (s.x, s.y)) for s in sites) for at in places]
        x, y = places[int(np.argmax(distances))]
        sites.append(replace(shown.site, x=x, y=y, radius=radius))
    # Shuffled, so that a kind says nothing of a place.
    return [sites[k] for k in rng.permutation(len(sites))[:count]]


def _together(lesions: list[Lesion]) -> Lesion | None:
    """Return several lesions as one; None of none."""
    if not lesions:
        return None
    outlines: list[Shape] = [lesion.outline for lesion in lesions]
    parts = tuple(part for lesion in lesions for part in lesion.parts)
    return Lesion(functools.reduce(Either, outlines), parts)
