"""Who is in a split: balance, patients, independence of what else is asked, honest nuisances."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import kruskal

from omnibench.data.phantom import CARD, KINDS
from omnibench.data.phantom.cases import case
from omnibench.data.phantom.lesions import LESIONS
from omnibench.data.phantom.views import VIEWS

CASES = {split: [case(split, index) for index in range(300)] for split in ("train", "test")}


def test_every_kind_but_none_has_a_lesion() -> None:
    assert set(LESIONS) | {"no-lesion"} == set(KINDS) == set(CARD.classes)
    assert all((shown.lesion is None) == (shown.label == 0) for shown in CASES["train"])


@pytest.mark.parametrize("count", [150, 300])
def test_classes_are_balanced(count: int) -> None:
    labels = Counter(shown.label for shown in CASES["test"][:count])
    assert set(labels.values()) == {count // len(KINDS)}


def test_any_beginning_of_a_split_is_nearly_balanced() -> None:
    labels = np.array([shown.label for shown in CASES["train"]])
    for count in (64, 100, 257):
        shares = np.bincount(labels[:count], minlength=5) / count
        assert np.ptp(shares) <= 6 / count


def test_a_patient_has_one_to_three_like_images_in_one_split() -> None:
    for split, cases in CASES.items():
        images = Counter(shown.patient for shown in cases)
        assert set(images.values()) == {1, 2, 3}
        assert all(patient.startswith(f"{split}-") for patient in images)
        seen = {(s.patient, s.view.modality, s.view.organ, s.technique, s.label) for s in cases}
        assert len(seen) == len(images)
    assert not {s.patient for s in CASES["train"]} & {s.patient for s in CASES["test"]}


def test_a_case_depends_on_its_place_only() -> None:
    backwards = [case("train", index) for index in (299, 31, 0)]
    assert backwards == [CASES["train"][index] for index in (299, 31, 0)]
    assert case("train", 0) != case("val", 0)


@pytest.mark.parametrize("split", ["train", "test"])
def test_nuisances_say_nothing_of_the_class(split: str) -> None:
    cases = CASES[split]
    for name in ("noise", "gain", "level"):
        groups = [[getattr(s, name) for s in cases if s.label == k] for k in range(5)]
        assert kruskal(*groups).pvalue > 0.01, name
    for name in ("x", "y", "opacity"):
        groups = [[getattr(s.site, name) for s in cases if s.label == k] for k in range(5)]
        assert kruskal(*groups).pvalue > 0.01, name
    scenes = [
        Counter((s.view.modality, s.view.organ, s.technique) for s in cases if s.label == k)
        for k in range(5)
    ]
    assert all(scene == scenes[0] for scene in scenes)
    assert {modality for modality, _, _ in scenes[0]} == set(VIEWS)


def test_the_radius_fills_the_views_range_for_every_class_alike() -> None:
    shares: dict[int, list[float]] = {k: [] for k in range(5)}
    for shown in CASES["train"] + CASES["test"]:
        least, largest = shown.view.radii
        shares[shown.label].append((shown.site.radius - least) / (largest - least))
    assert kruskal(*shares.values()).pvalue > 0.01
    assert min(map(min, shares.values())) >= 0 and max(map(max, shares.values())) <= 1
