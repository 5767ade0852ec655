"""The layout of studies by contrasts, and what of them cannot be trained on."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from omnibench.data import Dataset, Masks
from omnibench.errors import DataError
from omnibench.tasks.contrasts.recipes import SMALL
from omnibench.tasks.contrasts.sets import listed
from omnibench.tasks.contrasts.studies import Studies, flags, holds
from tests.contrasts.conftest import HELD, SIZE

RECIPE = SMALL.model_copy(update={"input_size": SIZE})


def studies(dataset: Dataset, *sets: str, **recipe: Any) -> Studies:
    stages = [listed(text) for text in sets or ("",)]
    return Studies.from_dataset(dataset, RECIPE.model_copy(update=recipe), stages)


def test_every_contrast_is_found_whatever_the_order_of_its_study(studies_dataset: Dataset) -> None:
    own = studies(studies_dataset)
    assert own.contrasts == ("A", "B", "C")
    for name, split in studies_dataset.splits.items():
        assert split.view is not None
        for study, rows in enumerate(own.layouts.rows[name]):
            held = {
                contrast: row
                for contrast, row in zip("ABC", rows.tolist(), strict=True)
                if row >= 0
            }
            assert set(held) == set(HELD[name][study])
            assert all(split.view[row] == contrast for contrast, row in held.items())
            assert all(split.study_of_image[row] == study for row in held.values())


def test_masks_and_images_are_cut_alike(studies_dataset: Dataset) -> None:
    whole, cut = studies(studies_dataset), studies(studies_dataset, limit=2)
    assert cut.cases.count("train") == len(cut.layouts.rows["train"]) == 2
    masks = whole.cases.masks("train", np.arange(6))
    for row, own in enumerate(cut.layouts.rows["train"]):
        first = np.flatnonzero(own >= 0)[:1]
        image = cut.layouts.images["train"].read_rows(own[first])
        mask = cut.cases.masks("train", np.array([row]))
        (same,) = [
            study
            for study, rows in enumerate(whole.layouts.rows["train"])
            if rows[first[0]] >= 0
            and np.array_equal(whole.layouts.images["train"].read_rows(rows[first]), image)
        ]
        np.testing.assert_array_equal(masks[same], mask[0])


def test_only_studies_with_a_set_of_each_stage_are_trained_on(studies_dataset: Dataset) -> None:
    def held(*sets: str) -> list[str]:
        rows = studies(studies_dataset, *sets).layouts.rows["train"]
        return ["".join(np.array(list("ABC"))[own >= 0]) for own in rows]

    assert held("A+B") == ["ABC", "AB", "AB"]
    assert held("C, A+B") == ["ABC", "AB", "AC", "AB", "C"]
    assert held("B", "C") == ["ABC"]
    assert held("", "C") == ["ABC", "AC", "C"]
    sets = flags(listed("A+B, C"), ("A", "B", "C"))
    assert holds(np.array([[1, 0, 1]], bool), sets).tolist() == [[False, True]]


def test_what_cannot_be_laid_out_is_refused(studies_dataset: Dataset) -> None:
    train = studies_dataset.splits["train"]
    fewer = {**studies_dataset.splits, "train": train.take_cases(np.array([1, 2, 3]))}
    with pytest.raises(DataError, match=r"no training study holds one of B\+C and one of A"):
        studies(replace(studies_dataset, splits=fewer), "B+C", "A")
    assert train.view is not None
    twice = replace(train, view=np.where(train.view == "C", "B", train.view))
    with pytest.raises(DataError, match="study 0 of train has several images of the contrast 'B'"):
        studies(replace(studies_dataset, splits={**studies_dataset.splits, "train": twice}))
    masks = train.target("masks", Masks)
    with pytest.raises(DataError, match="a split has 3 masks for 6 studies"):  # none without images
        replace(train, by_study={"masks": masks.take(np.arange(3))})
    other = replace(train, view=np.where(train.view == "C", "D", train.view))
    with pytest.raises(DataError, match="of the views A, B, C, D, its card names A, B, C"):
        studies(replace(studies_dataset, splits={**studies_dataset.splits, "train": other}))
