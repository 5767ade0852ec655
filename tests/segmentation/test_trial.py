from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Masks, Split
from omnibench.encoders.preprocess import Preprocess
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.heads import Linear
from omnibench.tasks.segmentation.on_maps import BATCH, Built
from omnibench.tasks.segmentation.recipes import LINEAR
from omnibench.tasks.segmentation.segmenter import Segmenter
from omnibench.tasks.segmentation.trial import SegmentationTrial
from omnibench.training.job import Batch
from tests.segmentation.conftest import array_of
from tests.target_values import masks_of

COUNT, SIDE, WIDTH, CLASSES = 19, 32, 6, 3
EVERY = np.arange(COUNT)
PREPARE = Preprocess(SIDE, (0.5,) * 3, (0.5,) * 3, torch.device("cpu"), torch.float32)
KEPT = torch.randn(COUNT, WIDTH, 4, 4, generator=torch.Generator().manual_seed(0))


def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    card = DatasetCard(
        id="x", reader="a:b", tasks=("segmentation",), mask_classes=tuple("abc"[:CLASSES])
    )
    return Dataset(
        card,
        {
            split: Split(
                ArrayImages(rng.integers(0, 256, (COUNT, 12, 20), dtype=np.uint8)),
                {"masks": Masks(ArrayImages(rng.integers(0, CLASSES, (COUNT, 12, 20), np.uint8)))},
            )
            for split in ("train", "val", "test")
        },
    )


class Watched(Linear):
    """A linear head that remembers how it was called."""

    def __init__(self) -> None:
        super().__init__(torch.zeros(WIDTH), torch.ones(WIDTH), CLASSES)
        self.sizes: list[int] = []
        self.modes: set[bool] = set()
        self.dtypes: set[torch.dtype] = set()

    def forward(self, pixels: Any, maps: Any) -> Any:
        logits = super().forward(pixels, maps)
        self.sizes.append(len(logits))
        self.modes.add(self.training)
        self.dtypes.add(logits.dtype)
        return logits


def trial(head: Any = None, score_at: str = "input", precision: str = "fp32") -> SegmentationTrial:
    torch.manual_seed(0)
    if head is None:
        head = Watched()
    data = dataset()
    model = Segmenter(data, head, PREPARE, lambda split, rows, pixels: [KEPT[rows]] * 3)
    recipe = LINEAR.model_copy(update={"precision": precision})
    cases = Cases.from_dataset(data, SIDE, score_at, None)
    return SegmentationTrial(Built(model, {}, {}, ""), cases, recipe, "cpu")


def batch(rows: list[int], whole: list[int]) -> Batch:
    places = torch.tensor([whole.index(row) for row in rows])
    return Batch(0, torch.tensor(rows), places, torch.tensor(whole))


def logits_of(ours: SegmentationTrial, rows: NDArray[Any] | list[int]) -> torch.Tensor:
    """A plain 1x1 convolution, enlarged by torch."""
    layer: Any = ours.model.head.classify
    logits = torch.einsum("cd,bdhw->bchw", layer.weight[:, :, 0, 0], KEPT[rows])
    result: torch.Tensor = logits + layer.bias[None, :, None, None]
    return result


def test_the_loss_is_cross_entropy_over_every_pixel_of_the_input_size() -> None:
    ours: Any = trial()
    nn.init.normal_(ours.model.head.classify.weight)
    rows = [4, 0, 17]
    native = array_of(masks_of(dataset().splits["train"]))[rows]
    masks = np.stack(
        [
            np.asarray(Image.fromarray(m).resize((SIDE, SIDE), Image.Resampling.NEAREST))
            for m in native
        ]
    )
    enlarged = nn.Upsample(size=(SIDE, SIDE), mode="bilinear")(logits_of(ours, rows))
    expected = functional.cross_entropy(enlarged, torch.from_numpy(masks).long())
    loss = ours.loss(batch(rows, rows))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert abs(loss.item() - np.log(CLASSES)) > 0.1  # not that of any logits
    loss.backward()
    assert ours.model.head.classify.weight.grad is not None
    assert ours.model.head.classify.weight.grad.abs().max() > 0


def test_the_parts_of_a_batch_add_up_to_the_whole() -> None:
    ours: Any = trial()
    nn.init.normal_(ours.model.head.classify.weight)
    whole = [3, 9, 1, 12, 7]
    losses, gradients = [], []
    for parts in ([whole], [whole[:2], whole[2:4], whole[4:]]):
        ours.model.zero_grad()
        total = torch.stack([ours.loss(batch(part, whole)) for part in parts]).sum()
        total.backward()
        losses.append(total)
        assert ours.model.head.classify.weight.grad is not None
        gradients.append(ours.model.head.classify.weight.grad.clone())
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(("score_at", "size"), [("input", 32), ("stride8", 4), ("native", None)])
def test_predictions_are_the_largest_logits_at_the_size_of_scoring(
    score_at: str, size: int | None
) -> None:
    ours = trial(score_at=score_at)
    predicted = np.stack(ours.masks("val", EVERY))
    scored = (size, size) if size else (12, 20)
    assert (predicted.shape, predicted.dtype) == ((COUNT, *scored), np.dtype(np.uint8))
    with torch.no_grad():
        logits = logits_of(ours, np.arange(COUNT))
        if scored != (4, 4):
            logits = nn.Upsample(size=scored, mode="bilinear")(logits)
    np.testing.assert_array_equal(predicted, logits.argmax(dim=1).numpy())
    assert len(np.unique(predicted)) == CLASSES


class Logits(nn.Module):
    """Convolutions whose bits may depend on the batch, and norms that depend on the mode."""

    takes_pixels = True

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, 8, 1), nn.BatchNorm2d(16), nn.SiLU(), nn.Conv2d(16, CLASSES, 1)
        )
        self.given: list[torch.Tensor] = []

    def forward(self, pixels: Any, maps: Any) -> Any:
        logits = self.layers(pixels)
        self.given.append(logits.clone())
        return logits


@pytest.mark.parametrize("asked", [[0], [5, 3], list(range(8)), list(range(11)), [18, 2, 2, 7]])
def test_an_images_bits_do_not_depend_on_how_many_are_asked_for(asked: list[Any]) -> None:
    ours = trial(Logits())
    head: Any = ours.model.head
    everything = ours.masks("test", EVERY)
    bits = torch.cat(head.given)[:COUNT]
    ours.model.train()
    head.given.clear()
    some = ours.masks("test", np.array(asked))
    assert not ours.model.training
    assert [len(given) for given in head.given] == [BATCH] * -(-len(asked) // BATCH)
    assert torch.equal(torch.cat(head.given)[: len(asked)], bits[asked])
    np.testing.assert_array_equal(some, np.stack(everything)[asked])
    assert head.layers[1].num_batches_tracked == 0


def test_every_batch_of_an_evaluation_is_full() -> None:
    ours = trial()
    ours.model.train()
    ours.masks("val", EVERY)
    assert ours.model.head.sizes == [BATCH] * 3
    assert ours.model.head.modes == {False}


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_predictions_are_computed_in_the_recipes_precision(precision: str, dtype: Any) -> None:
    ours = trial(precision=precision)
    ours.masks("val", EVERY)
    assert ours.model.head.dtypes == {dtype}


def test_pixels_are_read_for_heads_that_take_them_alone() -> None:
    ours: Any = trial()
    assert not ours.model.takes_pixels
    ours.model.pixels = None  # would fail if it were called
    ours.masks("val", EVERY)
    model = trial(Logits()).model
    images = array_of(dataset().splits["val"].images)
    expected = PREPARE(torch.from_numpy(images[[3, 1]]))
    assert torch.equal(model.pixels("val", np.array([3, 1])), expected)
