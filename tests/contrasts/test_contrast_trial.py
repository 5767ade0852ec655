"""Which contrasts a study is shown by, and that each set's counts are of that set alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from omnibench.cell import Unit
from omnibench.data import Dataset
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import DataError
from omnibench.tasks.contrasts.network import ContrastViT
from omnibench.tasks.contrasts.segmenter import ContrastSegmenter
from omnibench.tasks.contrasts.sets import listed
from omnibench.tasks.contrasts.studies import Studies
from omnibench.tasks.contrasts.trial import ContrastTrial, check_tested
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.heads import Head
from omnibench.tasks.segmentation.on_maps import Built
from omnibench.training.job import Batch
from tests.contrasts.conftest import SIZE
from tests.contrasts.test_studies import RECIPE

Make = Callable[..., ContrastTrial]
HALF = (0.5, 0.5, 0.5)


class Dot(Head):
    """A 1x1 convolution of the finest map, enlarged, and of the pixels."""

    takes_pixels = True

    def __init__(self) -> None:
        super().__init__()
        self.of_map, self.of_pixels = nn.Conv2d(64, 2, 1), nn.Conv2d(3, 2, 1)

    def forward(self, pixels: Tensor, maps: Any) -> Tensor:
        enlarged = nn.functional.interpolate(maps[0], size=pixels.shape[-1])
        logits: Tensor = self.of_map(enlarged) + 3 * self.of_pixels(pixels)
        return logits


@pytest.fixture
def make(vit: Any) -> Make:
    def make(dataset: Dataset, trained: str = "", then: str = "", tokenizer: str = "shared") -> Any:
        stages = [listed(trained), listed(then)][: 2 if then else 1]
        studies = Studies.from_dataset(dataset, RECIPE, stages)
        torch.manual_seed(3)
        network = ContrastViT(vit, tokenizer, 3)
        prepare = Preprocess(SIZE, HALF, HALF, torch.device("cpu"), torch.float32)
        model = ContrastSegmenter(
            studies.cases.dataset, studies.layouts, Dot(), prepare, network, (0, 1, 2)
        )
        for name, parameter in network.tokenize.named_parameters():
            if name in ("codes", "kernels"):
                nn.init.normal_(parameter, std=0.3)
        built = Built(model, {}, {"total_parameters": 0}, "digest")
        options = {"subsets": "all"}
        return ContrastTrial(built, studies, RECIPE, options, stages, 5, "cpu", {})

    return make


def batch(step: int, places: list[int], whole: int) -> Batch:
    rows = torch.arange(whole)
    return Batch(step, rows[places], torch.tensor(places), rows)


@pytest.mark.parametrize("tokenizer", ["shared", "zero-filled"])
def test_counts_of_a_set_are_those_of_studies_without_the_others(
    make: Make, studies_dataset: Dataset, tokenizer: str
) -> None:
    trial = make(studies_dataset, tokenizer=tokenizer)
    stored = trial.predict()
    assert stored["contrast_sets"].tolist() == ["A", "B", "C", "A+B", "A+C", "B+C", "A+B+C"]
    held = {"A+B+C", "A+B", "B", "A+C", "C"}
    assert stored["contrast_sets_trained"].tolist() == [
        name in held for name in stored["contrast_sets"].tolist()
    ]
    np.testing.assert_array_equal(stored["test_set_counts"][:, -1], stored["test_counts"])
    test = studies_dataset.splits["test"]
    assert test.view is not None
    seen = set()
    for number, name in enumerate(stored["contrast_sets"].tolist()):
        left = test.take(np.flatnonzero(np.isin(test.view, name.split("+"))))
        alone = make(
            replace(studies_dataset, splits={**studies_dataset.splits, "test": left}),
            tokenizer=tokenizer,
        )
        rows = np.arange(3)
        truth = alone.cases.truth("test", rows)
        counts = counts_of(alone.masks("test", rows), truth, 2)
        np.testing.assert_array_equal(counts, stored["test_set_counts"][:, number])
        seen.add(counts.tobytes())
    assert len(seen) > 3  # sets do differ


def test_a_study_without_a_contrast_of_a_set_is_not_counted(
    make: Make, studies_dataset: Dataset
) -> None:
    splits = {**studies_dataset.splits, "test": studies_dataset.splits["train"]}
    stored = make(replace(studies_dataset, splits=splits)).predict()
    absent = stored["test_set_counts"][..., 0, 0] < 0
    held = ["ABC", "AB", "B", "AC", "AB", "C"]
    names = stored["contrast_sets"].tolist()
    assert absent.tolist() == [[not set(n.split("+")) <= set(own) for n in names] for own in held]


def test_a_set_that_no_test_study_has_is_refused(studies_dataset: Dataset, unit: Unit) -> None:
    test = studies_dataset.splits["test"]
    assert test.view is not None
    left = test.take(np.flatnonzero(test.view != "B"))
    splits = {**studies_dataset.splits, "test": left}
    studies = Studies.from_dataset(replace(studies_dataset, splits=splits), RECIPE, [()])
    check_tested(replace(unit, options={"subsets": "A, A+C"}), studies)
    with pytest.raises(DataError, match=r"no test study has A\+B, so that nothing"):
        check_tested(replace(unit, options={"subsets": "A, A+B"}), studies)


def test_studies_are_shown_by_the_sets_of_the_stage_that_they_hold(
    make: Make, studies_dataset: Dataset
) -> None:
    plain = make(studies_dataset)
    np.testing.assert_array_equal(plain.shown(batch(0, [0, 2], 6)), [[1, 1, 1], [0, 1, 0]])
    trial = make(studies_dataset, "A, B, A+B", "A+B")
    assert trial.turn is not None
    trial.turn.step = 50
    held = trial.studies.layouts.held("train")
    assert len(held) == 3  # ABC, AB, AB
    draws = np.array([trial.shown(batch(step, [0, 1, 2], 3)) for step in range(50)])
    patterns, counts = np.unique(draws.reshape(-1, 3), axis=0, return_counts=True)
    assert patterns.tolist() == [[0, 1, 0], [1, 0, 0], [1, 1, 0]]
    assert counts.min() > 30  # of 150 draws, 50 each expected
    np.testing.assert_array_equal(draws[7][[2]], trial.shown(batch(7, [2], 3)))
    assert (trial.shown(batch(50, [0, 1, 2], 3)) == [1, 1, 0]).all()


def test_the_first_stage_is_scored_when_it_ends_and_kept_by_checkpoints(
    make: Make, studies_dataset: Dataset
) -> None:
    trial = make(studies_dataset, "B", "A")
    turn = trial.turn
    assert turn is not None
    assert trial.select is None
    turn.step = 2
    turn.after(0, 0.0, 0.0)
    assert turn.state() == {}
    turn.after(1, 0.0, 0.0)
    assert trial.model.training
    before = turn.state()["counts"].numpy()
    with torch.no_grad():  # what the second stage trains
        head: Any = trial.model.head
        head.of_map.weight.mul_(-1)
    other = make(studies_dataset, "B", "A")
    assert other.turn is not None
    other.turn.resume(2, turn.state())
    np.testing.assert_array_equal(other.turn.counts, before)
    stored = trial.predict()
    number = stored["contrast_sets"].tolist().index("B")
    np.testing.assert_array_equal(stored["test_before_counts"], before)
    np.testing.assert_array_equal(
        stored["test_after_counts"][:, 0], stored["test_set_counts"][:, number]
    )
    assert (stored["test_after_counts"] != before).any()
