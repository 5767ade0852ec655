"""`phantom-findings`: several findings an image, each in the pixels, alike for every place."""

import hashlib
import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kruskal

from omnibench.data.phantom import FINDINGS, FINDINGS_CARD, KINDS
from omnibench.data.phantom.canvas import mask
from omnibench.data.phantom.cases import Case, case
from omnibench.data.phantom.findings import MOST, RADII, SETTING, findings_case, generate, read
from omnibench.data.phantom.reader import draw
from tests.target_values import labels_of

CASES = [findings_case("train", index) for index in range(400)]
LABELS = np.array([labels for _, labels in CASES])
# Raise VERSION, then this, when pixels change on purpose.
FIRST_THIRTY = "69850c8f1d37ade3"


def test_the_card_is_read(tmp_path: Path) -> None:
    counts = {"train": 12, "val": 5, "test": 7}
    few = {"splits": counts, "resolution": 32}
    dataset = read(FINDINGS_CARD.model_copy(update=few), tmp_path)
    assert FINDINGS_CARD.classes == FINDINGS == KINDS[1:]
    for name, count in counts.items():
        split = dataset.splits[name]
        assert split.images.shape == (count, 32, 32)
        assert labels_of(split).shape == (count, len(FINDINGS))
        assert split.groups is not None
        pixels = split.images.read(0, count)
        digest = hashlib.sha256(pixels.data).hexdigest()
        assert dataset.digests[f"{name}_images"] == f"sha256:{digest}"


def test_pixels_are_those_of_this_version_however_many_are_drawn() -> None:
    images = generate("train", 30, 64).images.read(0, 30)
    assert hashlib.sha256(images.data).hexdigest()[:16] == FIRST_THIRTY
    assert np.array_equal(generate("train", 4, 64).images.read(0, 4), images[:4])


def test_images_show_none_to_three_findings_some_rarer_than_others() -> None:
    assert set(LABELS.sum(axis=1)) == set(range(MOST + 1))
    shares = LABELS.mean(axis=0)
    assert (np.diff(shares) < 0.05).all()
    assert 0.05 < shares.min() < 0.25 < 0.35 < shares.max() < 0.6


def test_patients_have_the_same_findings_in_every_image_and_are_in_one_split() -> None:
    of_patient: dict[str, set[tuple[bool, ...]]] = {}
    for shown, labels in CASES:
        of_patient.setdefault(shown.patient, set()).add(labels)
    assert {len(every) for every in of_patient.values()} == {1}
    others = {findings_case("test", index)[0].patient for index in range(60)}
    plain = {case("train", index).patient for index in range(60)}
    assert not set(of_patient) & (others | plain)


def blobs(shown: Case) -> list[Any]:
    """Return the outline of each lesion: a cyst's wall, or the tumour of a mass or nodule."""
    parts = shown.lesion.parts if shown.lesion else ()
    return [part.shape for part in parts if part.tissue in ("wall", "tumour")]


def test_an_image_is_the_phantoms_with_its_findings_alone_put_in() -> None:
    for index, (shown, labels) in enumerate(CASES[:60]):
        base = case("findings-train", index, SETTING)
        assert (shown.parts, shown.pose, shown.noise) == (base.parts, base.pose, base.noise)
        assert len(blobs(shown)) == sum(labels)
        tissues = {part.tissue for part in shown.lesion.parts} if shown.lesion else set()
        assert ("wall" in tissues) == labels[FINDINGS.index("cyst")]
        assert ("calcium" in tissues) == labels[FINDINGS.index("calcified-nodule")]
        assert shown.label == (KINDS.index(FINDINGS[labels.index(True)]) if any(labels) else 0)


def test_lesions_grow_apart_and_a_kind_says_nothing_of_a_place() -> None:
    distances = []
    places: list[list[float]] = [[] for _ in FINDINGS]
    for shown, labels in CASES:
        for kind, blob in zip(np.flatnonzero(labels), blobs(shown), strict=True):
            places[kind].append(blob.x)
        pairs = combinations(blobs(shown), 2)
        distances += [math.dist((a.x, a.y), (b.x, b.y)) for a, b in pairs]
    assert np.mean(np.array(distances) > 2 * RADII[0]) > 0.95
    assert kruskal(*places).pvalue > 0.01


def test_lesions_are_seen() -> None:
    sick = next(shown for shown, labels in CASES if sum(labels) == MOST)
    difference = draw(sick, 64).astype(int) - draw(replace(sick, lesion=None), 64)
    assert (np.abs(difference) > 10).sum() > 30
    # What is drawn is what the mask shows; noise that depends on what it lies on is elsewhere too.
    inside = np.abs(difference)[mask(sick, 64) == 2].mean()
    assert inside > 3 * np.abs(difference)[mask(sick, 64) != 2].mean()
