"""A dataset's splits: images, their targets, and which case, study and view each is of.

numpy is imported by type checkers alone, so that registering a dataset stays light.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

from omnibench.cards import IDENTIFIER
from omnibench.data.images import Images, SubsetImages, at_size, in_window
from omnibench.data.targets import Target
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from omnibench.cards import DatasetCard
    from omnibench.window import Window

TargetKind = TypeVar("TargetKind", bound=Target)
BY_STUDY = "by_study"


@dataclass(frozen=True)
class Split:
    """One split of a dataset.

    A subclass may have further fields: whatever has an entry for each image is taken with it.

    Attributes:
        images: the N images.
        targets: what is known of each image, by name: `labels` (Labels), `masks` (Masks),
            `captions` (Texts), `maps` (Maps), or any other.
        groups: [N] patient or study ids, where known: cases of one group are not independent.
        study: [N] ids of the studies that images are of, where a case has several images.
        view: [N] names of what each image of a study shows, such as "CC" and "MLO"; they become
            parts of names of metrics, so they are made of letters, digits and . _ - alone.
        place: [N] numbers of the places that images have in their study.
        columns: what else is known of each image, by name, such as sex, age and site: [N] texts, ""
            where unknown, or float64, NaN where unknown. It decides no number of a cell.
        by_study: what is known of each study as a whole, by name: targets with an entry for each
            of `studies`, in that order.

    Raises:
        DataError: a field or a target has another number of entries than there are images (of
            `by_study`: studies), or its kind has none; or a view's name has other characters.
    """

    images: Images
    targets: Mapping[str, Target] = field(default_factory=dict)
    groups: NDArray[np.str_] | None = None
    study: NDArray[np.str_] | None = None
    view: NDArray[np.str_] | None = None
    place: NDArray[np.number[Any]] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    by_study: Mapping[str, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            whole, what = len(self), "images"
            if part.name == BY_STUDY:
                whole, what = len(self.studies), "studies"
            for name, entries in (
                value.items() if isinstance(value, Mapping) else [(part.name, value)]
            ):
                if entries is not None and (count := _count(name, entries)) != whole:
                    raise DataError(f"a split has {count} {name} for {whole} {what}; give one each")
        for view in set() if self.view is None else set(self.view.tolist()):
            if not re.fullmatch(IDENTIFIER, view):
                raise DataError(
                    f"a split has the view {view!r}; name it by letters, digits and . _ - alone, "
                    "the first a letter or a digit"
                )

    def __len__(self) -> int:
        return self.images.shape[0]

    @functools.cached_property
    def studies(self) -> NDArray[np.str_]:
        """Return the [S] ids of its studies, in the order in which they first appear."""
        import numpy as np

        if self.study is None:
            return np.empty(0, np.str_)
        ids, first = np.unique(self.study, return_index=True)
        return ids[np.argsort(first)]

    @functools.cached_property
    def study_of_image(self) -> NDArray[np.int64]:
        """Return the [N] places in `studies` of the study that each image is of.

        Raises:
            DataError: the split knows no studies.
        """
        import numpy as np

        if self.study is None:
            raise DataError("the images of the split are of no studies; give it `study`")
        ids, first, inverse = np.unique(self.study, return_index=True, return_inverse=True)
        places = np.empty(len(ids), np.int64)
        places[np.argsort(first)] = np.arange(len(ids))
        return places[inverse]

    @property
    def cases(self) -> int:
        """Return how many cases it has: studies where targets are of studies, else images."""
        return len(self.studies) if self.by_study else len(self)

    @property
    def nouns(self) -> tuple[str, str]:
        """Return what a case is called, and several."""
        return ("study", "studies") if self.by_study else ("image", "images")

    @property
    def case_groups(self) -> NDArray[np.str_] | None:
        """Return the patient of each case, a study's being that of its first image."""
        return None if self.groups is None else self.by_case(self.groups)

    def by_case(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return of values by image, [N, ...], those of each case, a study's of its first image."""
        if not self.by_study:
            return values
        import numpy as np

        return values[np.unique(self.study_of_image, return_index=True)[1]]

    def images_of(self, case: int) -> NDArray[np.int64]:
        """Return the places of a case's images: of a study, in their order in the split."""
        import numpy as np

        if not self.by_study:
            return np.array([case])
        return np.flatnonzero(self.study_of_image == case)

    def take_cases(self, cases: NDArray[np.int64]) -> Self:
        """Return the cases at `cases`, in that order; of a study, all of its images."""
        if not self.by_study:
            return self.take(cases)
        import numpy as np

        order = np.argsort(self.study_of_image, kind="stable")
        ends = np.cumsum(np.bincount(self.study_of_image))
        rows = [
            order[end - size : end]
            for end, size in zip(ends[cases], np.bincount(self.study_of_image)[cases], strict=True)
        ]
        return self.take(np.concatenate(rows) if rows else np.empty(0, np.int64))

    def target(self, name: str, kind: type[TargetKind], where: str = "the split") -> TargetKind:
        """Return the target of this name, of images or of studies.

        Args:
            where: what the message calls the split.

        Raises:
            DataError: there is none, or it is of another kind.
        """
        target = self.targets.get(name, self.by_study.get(name))
        if target is None:
            raise DataError(f"{where} has no {name}; add them or name another dataset")
        if not isinstance(target, kind):
            raise DataError(
                f"the {name} of {where} are {type(target).__name__} where {kind.__name__} are due"
            )
        return target

    def take(self, indices: NDArray[np.int64]) -> Self:
        """Return the images at `indices`, in that order, with all that belongs to them.

        A study of which no image is left has gone, with its targets.
        """
        import numpy as np

        whole = replace(self, by_study={})
        part = whole._changed(lambda value: _rows(value, indices))
        if not self.by_study:
            return part
        # In the order of the images that are left.
        places, first = np.unique(self.study_of_image[indices], return_index=True)
        left = places[np.argsort(first)]
        targets = {name: target.take(left) for name, target in self.by_study.items()}
        return replace(part, by_study=targets)

    def at(self, size: int) -> Self:
        """Return the split with all that is decoded when it is read, for an input of this size."""
        return self._changed(lambda value: at_size(value, size))

    def windowed(self, window: Window) -> Self:
        """Return the split with all that is windowed when it is read seen through this window."""
        return self._changed(lambda value: in_window(value, window))

    def _changed(self, change: Callable[[Any], Any]) -> Self:
        """Return the split with a change to each field and each target that it has."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        changes: dict[str, Any] = {
            name: {key: change(entries) for key, entries in value.items()}
            if isinstance(value, Mapping)
            else change(value)
            for name, value in values.items()
            if value is not None
        }
        return replace(self, **changes)


@dataclass(frozen=True)
class Dataset:
    """A card and its splits (train, val, test).

    Attributes:
        card: as registered, with what the files told filled in (classes, channels, sizes).
        digests: hashes of the arrays that were really read.
        left_out: a sentence for each study that its reader left out as damaged or ambiguous, with
            its file and the reason; the others are used, and the survey warns of these.
    """

    card: DatasetCard
    splits: Mapping[str, Split]
    digests: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def at(self, size: int) -> Self:
        """Return the dataset as its images and targets are decoded for an input of this size."""
        splits = {name: split.at(size) for name, split in self.splits.items()}
        return replace(self, splits=splits)

    def windowed(self, window: Window | None) -> Self:
        """Return the dataset as seen through a recipe's window; None for its own."""
        if window is None:
            return self
        splits = {name: split.windowed(window) for name, split in self.splits.items()}
        return replace(self, splits=splits)

    def target(self, split: str, name: str, kind: type[TargetKind]) -> TargetKind:
        """Return a split's target of this name.

        Raises:
            DataError: as `Split.target`, naming the dataset and the split.
        """
        return self.splits[split].target(name, kind, f"{split} of '{self.card.id}'")


def left_out_note(count: int) -> str:
    """Return what is said where names may not be, of as many as are left out; "" of none."""
    if not count:
        return ""
    what = "1 study or file is" if count == 1 else f"{count} studies or files are"
    return f"{what} left out as damaged or ambiguous: `bench.py data verify` names them"


def _count(name: str, value: Any) -> int:
    """Return how many entries a field or a target has.

    Raises:
        DataError: its kind has none.
    """
    shape = getattr(value, "shape", None)
    if shape:  # an array, or images
        return int(shape[0])
    if shape is None and hasattr(value, "take") and hasattr(value, "__len__"):
        return len(value)
    raise DataError(
        f"'{name}' of a split is {type(value).__name__}, which has no entry for each image; give "
        "an array, images, or a target with __len__ and take"
    )


def _rows(value: Any, indices: NDArray[np.int64]) -> Any:
    """Return the entries of a field or a target at `indices`."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value[indices]
    return value.take(indices) if hasattr(value, "take") else SubsetImages(value, indices)
