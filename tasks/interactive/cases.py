"""The objects that are outlined: every foreground class that an image of a split shows."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset
from omnibench.data.columns import stored
from omnibench.data.declaration import VOID
from omnibench.data.label_subset import Subset
from omnibench.errors import DataError
from omnibench.tasks.segmentation.cases import Cases

from .recipes import ClickRecipe
from .sequences import Target


@dataclass(frozen=True)
class ClickCases:
    """The images of a dataset with masks, as what is trained on their maps reads them.

    Attributes:
        outputs: a pixel is given one number, how likely it is of the object.
    """

    cases: Cases
    outputs: ClassVar[int] = 1

    @property
    def dataset(self) -> Dataset:
        """Return the dataset, cut to the recipe's limit."""
        return self.cases.dataset

    def of(self, subset: Subset) -> "ClickCases":
        """Return the cases with these images of the training and validation splits."""
        cases = self.cases.of(subset)
        return self if cases is self.cases else ClickCases(cases)

    def count(self, split: str) -> int:
        """Return the number of images of a split."""
        return self.cases.count(split)


@dataclass(frozen=True)
class Objects:
    """The (image, foreground class) pairs with a pixel at the size of scoring, in file order.

    Attributes:
        split: whose images they are.
        rows: [N] the images.
        labels: [N] the classes.
    """

    cases: Cases
    split: str
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]

    @classmethod
    def from_dataset(cls, dataset: Dataset, recipe: ClickRecipe) -> "Objects":
        """Read the test masks.

        Raises:
            DataError: as `Cases.from_dataset` and `from_split`.
        """
        cases = Cases.from_dataset(dataset, recipe.input_size, recipe.score_at, recipe.limit)
        return cls.from_split(cases, "test")

    @classmethod
    def from_split(cls, cases: Cases, split: str) -> "Objects":
        """Read the masks of a split.

        Raises:
            DataError: no mask of it shows an object at the size of scoring.
        """
        pairs = [
            (row, label)
            for row in range(cases.count(split))
            for label in np.unique(cases.truth(split, np.array([row]))[0]).tolist()
            if label not in (0, VOID)
        ]
        if not pairs:
            name = {"val": "validation"}.get(split, split)
            raise DataError(
                f"{cases.dataset.card.id}: no {name} mask shows anything but the background at the "
                "size of scoring, so that there is nothing to click at; add masks, or score at a "
                "larger size"
            )
        rows, labels = np.array(pairs, np.int64).T
        return cls(cases, split, rows, labels)

    def __len__(self) -> int:
        return len(self.rows)

    def target(self, number: int) -> Target:
        """Return an object's mask; pixels without a truth count for nothing."""
        truth = self.cases.truth(self.split, self.rows[number : number + 1])[0]
        return Target(truth == self.labels[number], truth != VOID)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is stored of the objects: case, group, image, class and columns.

        Objects of one image are no independent cases: where patients are not known, an image is a
        group.
        """
        split = self.cases.dataset.splits[self.split]
        return {
            "test_case": self.rows * self.cases.classes + self.labels,
            "test_group": self.rows if split.groups is None else split.groups[self.rows],
            "test_image": self.rows,
            "test_class": self.labels,
            **{name: column[self.rows] for name, column in stored(split).items()},
        }
