"""A repetition of the example `selfplay` on a backbone whose tokens are the pixels themselves."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import omnibench
from omnibench import ArrayImages, Dataset, DatasetCard, Masks, Split

SIDE, PIXELS = 6, 2  # patches of an image, pixels of a patch
CARD = DatasetCard(
    id="blocks", reader="none", tasks=("segmentation",), mask_classes=("background", "block")
)
UNIT = cast(Any, SimpleNamespace(recipe={}, seed=lambda purpose, repetition: 7))
CONTEXT = cast(Any, SimpleNamespace(device="cpu"))


def split_of(seed: int, empty: int) -> Split:
    """Return 12 images of a bright block each, of which the first `empty` have none."""
    random = np.random.default_rng(seed)
    patches = np.zeros((12, SIDE, SIDE), np.uint8)
    for place, block in enumerate(patches[empty:]):
        block[place % 4 : place % 4 + 2, 1:4] = 1
    masks = patches.repeat(PIXELS, axis=1).repeat(PIXELS, axis=2)
    images = 180 * masks + random.integers(0, 40, masks.shape)
    return Split(ArrayImages(images.astype(np.uint8)), {"masks": Masks(ArrayImages(masks))})


class PixelMaps:
    """Maps as `unit_maps` gives them: the mean of the pixels of each patch."""

    tokens = True
    made = SimpleNamespace(cost=lambda: {"flops": 12e6}, images=12, digests=dict)

    def __init__(self, splits: Mapping[str, Split]) -> None:
        self.splits = splits

    def read(self, split: str, rows: NDArray[np.int64]) -> list[torch.Tensor]:
        images = torch.from_numpy(self.splits[split].images.read_rows(rows).copy()).float()
        return [torch.nn.functional.avg_pool2d(images[:, None], PIXELS)]


def trial_of(monkeypatch: pytest.MonkeyPatch, empty: int) -> Any:
    from selfplay_trial import prepare

    names = ("train", "val", "test")
    data = Dataset(CARD, {name: split_of(seed, empty) for seed, name in enumerate(names)})
    monkeypatch.setattr(omnibench, "unit_dataset", lambda *_: data)
    monkeypatch.setattr(omnibench, "unit_maps", lambda unit, splits, context: PixelMaps(splits))
    return prepare(UNIT, CONTEXT)(0)


def test_an_oracle_finds_the_object_and_nothing_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from selfplay import overlap

    trial = trial_of(monkeypatch, empty=4)
    with torch.no_grad():
        trial.model.weight.fill_(1.0)
        trial.model.bias.fill_(0.0)  # of patches, and of images, that are as bright as the mean
    predictions = trial.predict()
    verdicts = predictions["test_verdict"] > 0
    assert np.array_equal(verdicts, predictions["test_present"])
    for view in ("", "@s0", "@threshold", "@tta2", "@tta4"):
        assert (
            overlap({"test_counts": predictions[f"test_counts{view}"]})["dice"].tolist()
            == [1.0] * 12
        )
    assert predictions["test_curve"][:4].tolist() == [[1.0] * 4] * 4
    assert predictions["test_mflop@tta2"][0] == pytest.approx(1 + 2 * SIDE**2 / 1e6)


def test_flipped_images_answer_where_the_object_is_in_the_image_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial = trial_of(monkeypatch, empty=4)
    predictions = trial.predict()  # of any verifier: this backbone turns with its images
    for view in ("@tta2", "@tta4"):
        assert np.array_equal(predictions[f"test_counts{view}"], predictions["test_counts"])


@pytest.mark.parametrize(("shown", "refused"), [(12, True), (0, True), (11, False), (1, False)])
def test_images_that_are_all_alike_are_refused_by_plan(shown: int, refused: bool) -> None:
    from selfplay import Localisation

    facts = {"training_masks": {"background": 12, "block": shown}, "images": {"train": 12}}
    assert (
        any("with and without 'block'" in t for t in Localisation().refusals(UNIT, facts))
        == refused
    )
    assert not list(Localisation().refusals(UNIT, {}))


def test_images_that_all_show_the_object_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(omnibench.errors.DataError, match="with and without 'block'"):
        trial_of(monkeypatch, empty=0)
