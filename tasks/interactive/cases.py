"""The objects that are outlined: every foreground class that a test image shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset
from omnibench.data.columns import stored
from omnibench.data.declaration import VOID
from omnibench.errors import DataError
from omnibench.tasks.segmentation.cases import Cases

from .recipes import ClickRecipe
from .sequences import Target


@dataclass(frozen=True)
class Objects:
    """The (image, foreground class) pairs with a pixel at the size of scoring, in file order.

    Attributes:
        rows: [N] the images of the test split.
        labels: [N] the classes.
    """

    cases: Cases
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]

    @classmethod
    def from_dataset(cls, dataset: Dataset, recipe: ClickRecipe) -> "Objects":
        """Read the test masks.

        Raises:
            DataError: as `Cases.from_dataset`; or no test mask shows an object at that size.
        """
        cases = Cases.from_dataset(dataset, recipe.input_size, recipe.score_at, recipe.limit)
        pairs = [
            (row, label)
            for row in range(cases.count("test"))
            for label in np.unique(cases.truth("test", np.array([row]))[0]).tolist()
            if label not in (0, VOID)
        ]
        if not pairs:
            raise DataError(
                f"{dataset.card.id}: no test mask shows anything but the background at the size of "
                "scoring, so that there is nothing to click at; add masks, or score at a larger "
                "size"
            )
        rows, labels = np.array(pairs, np.int64).T
        return cls(cases, rows, labels)

    def __len__(self) -> int:
        return len(self.rows)

    def target(self, number: int) -> Target:
        """Return an object's mask; pixels without a truth count for nothing."""
        truth = self.cases.truth("test", self.rows[number : number + 1])[0]
        return Target(truth == self.labels[number], truth != VOID)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is stored of the objects: case, group, image, class and columns.

        Objects of one image are no independent cases: where patients are not known, an image is a
        group.
        """
        split = self.cases.dataset.splits["test"]
        return {
            "test_case": self.rows * self.cases.classes + self.labels,
            "test_group": self.rows if split.groups is None else split.groups[self.rows],
            "test_image": self.rows,
            "test_class": self.labels,
            **{name: column[self.rows] for name, column in stored(split).items()},
        }
