"""`phantom-easy` is easier than `phantom` in what its card says, and in nothing else."""

from pathlib import Path

import numpy as np
import pytest

from omnibench.data.phantom import CARD, EASY_CARD, KINDS
from omnibench.data.phantom.captions import caption
from omnibench.data.phantom.cases import case
from omnibench.data.phantom.reader import generate, read, read_easy
from omnibench.data.phantom.slots import SLOTS, slots_of
from omnibench.data.phantom.views import EASY, VIEWS
from tests.target_values import captions_of, labels_of, masks_of

CASES = [case("easy-train", index, EASY) for index in range(120)]


def test_each_modality_has_one_of_the_phantoms_views() -> None:
    assert set(EASY.views) == set(VIEWS)
    for modality, (view,) in EASY.views.items():
        (own,) = [other for other in VIEWS[modality] if other.organ == view.organ]
        assert view.build is own.build and set(view.techniques) <= set(own.techniques)
        assert view.radii[0] > own.radii[0] and view.radii[1] > own.radii[1]
        assert view.freedom <= own.freedom


def test_cases_keep_to_the_setting() -> None:
    for shown in CASES:
        assert shown.view in EASY.views[shown.view.modality]
        assert shown.view.radii[0] <= shown.site.radius <= shown.view.radii[1]
        for value, (low, high) in (
            (shown.site.opacity, EASY.opacity),
            (shown.noise, EASY.noise),
            (shown.gain, EASY.display),
            (shown.level, EASY.display),
        ):
            assert low <= value <= high
    assert {shown.view.modality for shown in CASES} == set(VIEWS)


@pytest.mark.parametrize("count", [30, 120])
def test_classes_are_balanced(count: int) -> None:
    labels = [shown.label for shown in CASES[:count]]
    assert np.bincount(labels).tolist() == [count // len(KINDS)] * len(KINDS)


def test_captions_have_one_wording_and_name_every_fact() -> None:
    texts = [caption(shown, EASY.wordings) for shown in CASES]
    assert all(set(slots_of(text)) == set(SLOTS) for text in texts)
    heads = {
        (shown.view.modality, text.partition(". ")[0])
        for shown, text in zip(CASES, texts, strict=True)
    }
    assert len(heads) == len(VIEWS)


def test_lesions_are_several_times_as_large() -> None:
    plain, easy = generate("train", 60, 48), generate("easy-train", 60, 48, EASY)

    def share(masks: np.ndarray) -> float:
        return float((masks == 2).mean())

    assert share(masks_of(easy).read(0, 60)) > 2 * share(masks_of(plain).read(0, 60))


def test_the_card_is_read_and_shares_no_patient_with_the_phantom(tmp_path: Path) -> None:
    counts = {"train": 12, "val": 5, "test": 7}
    few = {"splits": counts, "resolution": 32}
    easy = read_easy(EASY_CARD.model_copy(update=few), tmp_path)
    plain = read(CARD.model_copy(update=few), tmp_path)
    for name, count in counts.items():
        split, other = easy.splits[name], plain.splits[name]
        assert len(split) == count and split.groups is not None and other.groups is not None
        assert not set(split.groups) & set(other.groups)
        assert len(labels_of(split)) == len(captions_of(split)) == count
    assert not set(easy.digests.values()) & set(plain.digests.values())
