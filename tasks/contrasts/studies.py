"""Studies with a mask each, as segmentation has images with a mask each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibench.data import Dataset, Masks, Split
from omnibench.data.images import SubsetImages
from omnibench.data.label_subset import Subset
from omnibench.data.subset import limited
from omnibench.errors import DataError
from omnibench.tasks.segmentation.cases import Cases
from omnibench.tasks.segmentation.recipes import SegmentationRecipe
from omnibench.tasks.volumes.bags import views_of

from .layouts import Layouts, Shown, rows_of
from .sets import Contrasts, name_of


@dataclass(frozen=True)
class Studies:
    """A dataset whose cases are studies with a mask each.

    Attributes:
        cases: the masks, a case being a study; as images they have each study's first.
        layouts: the studies' images.
    """

    cases: Cases
    layouts: Layouts

    @classmethod
    def from_dataset(
        cls, dataset: Dataset, recipe: SegmentationRecipe, stages: Sequence[Sequence[Contrasts]]
    ) -> "Studies":
        """Lay out the studies, and keep the training studies that hold a set of each stage.

        Args:
            stages: the sets that are trained on, one stage after the other; a stage without sets
                takes any study.

        Raises:
            DataError: no training study holds a set of each stage; or as `Layouts.from_dataset`
                and `Cases.from_dataset`.
        """
        contrasts = views_of(dataset)
        held = rows_of(dataset, "train", contrasts) >= 0
        fits = np.ones(len(held), bool)
        for sets in stages:
            if sets:
                fits &= holds(held, flags(sets, contrasts)).any(axis=1)
        if not fits.any():
            names = " and one of ".join(", ".join(map(name_of, sets)) for sets in stages if sets)
            raise DataError(
                f"{dataset.card.id}: no training study holds one of {names}, so that there is "
                "nothing to train on; train on sets that some study holds"
            )
        train = dataset.splits["train"].take_cases(np.flatnonzero(fits))
        dataset = replace(dataset, splits={**dataset.splits, "train": train})
        by_study = {name: _as_cases(split) for name, split in dataset.splits.items()}
        cases = Cases.from_dataset(
            replace(dataset, splits=by_study), recipe.input_size, recipe.score_at, recipe.limit
        )
        cases = replace(cases, shape=recipe.shape, keep_masks=recipe.keep_masks)
        # `limited` draws the same studies here as it has drawn of the cases.
        return cls(cases, Layouts.from_dataset(limited(dataset, recipe.limit)))

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The names of the contrasts, sorted."""
        return self.layouts.contrasts

    def of(self, subset: Subset) -> "Studies":
        """Return the studies with these of the training and validation splits."""
        return Studies(self.cases.of(subset), self.layouts.of(subset))


def flags(sets: Sequence[Contrasts], contrasts: Sequence[str]) -> Shown:
    """Return bool [n, K], the contrasts of each set."""
    return np.array([[name in own for name in contrasts] for own in sets], bool)


def holds(held: Shown, sets: Shown) -> Shown:
    """Return bool [S, n], whether a study has all contrasts of a set."""
    return np.asarray((held[:, None] | ~sets).all(axis=2))


def _as_cases(split: Split) -> Split:
    """Return the studies of a split as images of their own: the first of each, with its mask."""
    first = split.by_case(np.arange(len(split)))
    return Split(
        SubsetImages(split.images, first),
        targets={"masks": split.target("masks", Masks)},
        groups=split.case_groups,
        columns={name: split.by_case(values) for name, values in split.columns.items()},
    )
