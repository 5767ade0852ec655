"""A repetition of `my-task`: its model, its loss, and what it predicts. Edit `references_of`."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import omnibench
from omnibench import Batch, Context, Dataset, Predictions, Split, Trial, Unit


def references_of(split: Split) -> Tensor:
    """Return the number [N] that is to be predicted of each image: here how bright it is."""
    images = split.images.read_rows(np.arange(len(split)))
    return torch.from_numpy(images.reshape(len(images), -1).mean(axis=1)).float()


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Read the images and the backbone's embeddings of them, once for all repetitions."""
    data = omnibench.unit_dataset(unit, context)
    features = omnibench.unit_features(unit, data.splits, context)
    inputs = {name: torch.from_numpy(array) for name, array in features.arrays.items()}
    return lambda _: MyTrial(unit, data, inputs, features.made.digests())


class MyTrial(Trial):
    """A linear layer under the squared error, on standardised embeddings and numbers."""

    select, minimise = "mae", True  # of what `validate` returns

    def __init__(
        self, unit: Unit, data: Dataset, inputs: Mapping[str, Tensor], loaded: Mapping[str, str]
    ) -> None:
        self.recipe = omnibench.TrainingRecipe.model_validate(unit.recipe)
        self.data, self.inputs, self.loaded_digests = data, inputs, loaded
        self.references = {name: references_of(split) for name, split in data.splits.items()}
        train = inputs["train"]
        self.count = len(train)
        self.centre, self.spread = train.mean(dim=0), train.std(dim=0) + 1e-6
        self.offset, self.scale = self.references["train"].mean(), self.references["train"].std()
        self.model = nn.Linear(train.shape[1], 1)

    def standardised(self, split: str, rows: Tensor | slice) -> Tensor:
        """Return predictions [N], as standard deviations from the training images' mean."""
        output: Tensor = self.model((self.inputs[split][rows] - self.centre) / self.spread)
        return output[:, 0]

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's share of the batch's loss: the parts are summed."""
        reference = (self.references["train"][batch.rows] - self.offset) / self.scale
        predicted = self.standardised("train", batch.rows)
        return functional.mse_loss(predicted, reference) * len(reference) / len(batch.whole)

    @torch.inference_mode()
    def numbers(self, split: str) -> Tensor:
        """Return the predicted number [N] of each image of a split."""
        self.model.eval()
        return self.standardised(split, slice(None)) * self.scale + self.offset

    def validate(self) -> Mapping[str, float]:
        """Return what epochs are chosen by."""
        return {"mae": float(functional.l1_loss(self.numbers("val"), self.references["val"]))}

    def predict(self) -> Predictions:
        """Return what is stored; `test_case` and `test_group` are what statistics pair cases by."""
        numbers, references = self.numbers("test").numpy(), self.references["test"].numpy()
        arrays = {
            "test_numbers": numbers,
            "test_references": references,
            "test_case": np.arange(len(numbers)),
        }
        groups = self.data.splits["test"].groups
        return arrays if groups is None else {**arrays, "test_group": groups}

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return {**self.data.digests, **self.loaded_digests}
