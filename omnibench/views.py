"""Views of a trained cell's predictions: further test sets on which it is predicted again.

A view is the test images corrupted, or those of another dataset. Under a mix, a share of a unit's
images is of low quality. No torch here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from omnibench.cards import DatasetCard

LOW = "low"  # the view of the test images of low quality
QUALITY = "quality"  # the column of a dataset's scores
CORRUPTED_VERSION = 1  # in the identity: raised when corrupted images change

# Of what tests a cell.
Kind = Literal["corrupted images", "moved images", "another dataset", "a mix"]


def share_name(share: float) -> str:
    """Return a share of low quality as it stands in names: "25" of a quarter."""
    return f"{100 * share:g}"


@dataclass(frozen=True)
class Corrupted:
    """The test images under one corruption.

    Attributes:
        corruption: as views call it: "gaussian-noise", "mri.bias-field".
        severity: 1 to 5.
        kind: whether the corruption moves what an image shows.
    """

    corruption: str
    severity: int
    kind: Kind = "corrupted images"

    @property
    def name(self) -> str:
        """Return what stands behind the "@": "gaussian-noise-3"."""
        return f"{self.corruption}-{self.severity}"

    def as_dict(self) -> dict[str, Any]:
        """Return what decides it, as plain values."""
        return {
            "view": self.name,
            "corruption": self.corruption,
            "severity": self.severity,
            "version": CORRUPTED_VERSION,
        }


@dataclass(frozen=True)
class External:
    """The test images of another dataset, whose content is among the unit's sources.

    Attributes:
        classes: its class -> one of the trained dataset, or None for a class whose images are left
            out; {} where the two have the same classes.
    """

    dataset: DatasetCard
    classes: Mapping[str, str | None] = field(default_factory=dict)
    kind: Kind = field(default="another dataset", init=False, repr=False)

    @property
    def name(self) -> str:
        """Return what stands behind the "@": the dataset's id."""
        return self.dataset.id

    @property
    def source(self) -> str:
        """Return what its content is called among a unit's sources."""
        return f"dataset@{self.dataset.id}"

    def as_dict(self) -> dict[str, Any]:
        """Return what decides it beside its content, as plain values."""
        return {"view": self.name, "dataset": self.dataset.id, "map": dict(self.classes)}


View = Corrupted | External


@dataclass(frozen=True)
class Scored:
    """The images that have low scores of quality, of a dataset that has such scores.

    Attributes:
        below: what scores of low quality lie below; None for the median of the training images.
        shares: every share that is trained on, of which there are to be equally many images.
    """

    below: float | None
    shares: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what decides it, as plain values."""
        return {"by": QUALITY, "below": self.below, "shares": list(self.shares)}


@dataclass(frozen=True)
class Mix:
    """The quality of a unit's images.

    Attributes:
        low: what makes copies of low quality, or which images are so themselves.
        train: the share of low quality among its training and validation images.
        test: the shares among the test images that it is judged on.
    """

    low: Corrupted | Scored
    train: float
    test: tuple[float, ...]

    @property
    def suffix(self) -> str:
        """Return its form behind an adaptation's: "@low25"."""
        return f"@{LOW}{share_name(self.train)}"

    def as_dict(self) -> dict[str, Any]:
        """Return what decides it, as plain values."""
        return {"low": self.low.as_dict(), "train": self.train, "test": list(self.test)}


def draws(mix: Mapping[str, Any]) -> bool:
    """Return whether a mix, as plain values, is of other images in each repetition."""
    return bool(0 < mix["train"] < 1) or "by" in mix["low"]


SEVERAL_LABELS = "a mix by quality needs one class for each image; mix by a corruption instead"


def no_scores(split: str = "train") -> str:
    """Return the sentence that refuses a mix by scores that images do not have."""
    return (
        f"its images have no scores of quality; save numbers as {split}_{QUALITY} in an npz file, "
        "or mix by a corruption"
    )
