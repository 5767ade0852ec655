"""Label budgets: how many of a dataset's labelled training images a unit may use. No torch here."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

WHOLE = "100%"
Kind = Literal["share", "per class"]  # "10%", "4/class"

_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%")
_PER_CLASS = re.compile(r"([0-9]{1,9})/class")


@dataclass(frozen=True)
class LabelBudget:
    """A share of the labelled training images, or a number of each class ("shots").

    Attributes:
        share: 0 < share <= 1; None for a number of each class.
        shots: images of each class; None for a share.
    """

    share: Fraction | None = None
    shots: int | None = None

    @classmethod
    def from_text(cls, text: str) -> "LabelBudget":
        """Read "10%" or "4/class".

        Raises:
            ValueError: it is neither, or of no image, or of more than all.
        """
        if match := _SHARE.fullmatch(text):
            share = Fraction(match[1]) / 100
            if not 0 < share <= 1:
                raise ValueError(
                    f"'{text}' is no share of the training images; give more than 0% and at most "
                    "100%"
                )
            return cls(share=share)
        if match := _PER_CLASS.fullmatch(text):
            if (shots := int(match[1])) == 0:
                raise ValueError("'0/class' leaves no training image; give 1/class or more")
            return cls(shots=shots)
        raise ValueError(f"'{text}' is no label budget; write a share such as 10%, or 4/class")

    @property
    def kind(self) -> Kind:
        """Return what it counts by."""
        return "share" if self.share is not None else "per class"

    @property
    def suffix(self) -> str:
        """Return its form behind an adaptation's: "@10pct", "@4shot", "" of all images."""
        if self.share == 1:
            return ""
        return f"@{self}".replace("%", "pct").replace("/class", "shot")

    def __str__(self) -> str:
        """Return the text that a suite holds, in its shortest form."""
        if self.share is None:
            return f"{self.shots}/class"
        return f"{float(self.share * 100):.9f}".rstrip("0").rstrip(".") + "%"

    def of(self, images: int) -> int:
        """Return how many of a class's images it takes: at least one of those that there are.

        A share takes max(1, floor(share * images + 1/2)), which never falls while the share rises,
        so that budgets nest; rounding by largest remainders has no such rule.
        """
        if self.share is None:
            assert self.shots is not None
            return min(self.shots, images)
        return min(images, max(1, math.floor(self.share * images + Fraction(1, 2))))

    def of_classes(self, images: Mapping[str, int]) -> int:
        """Return how many images it takes of classes of so many, where each image has one."""
        return sum(map(self.of, images.values()))


def normal(text: object) -> str:
    """Return a budget's shortest text: "10%" of "10.0%".

    Raises:
        ValueError: it is no budget.
    """
    if not isinstance(text, str):
        raise ValueError(f"'{text}' is no label budget; write a share such as 10%, or 4/class")
    return str(LabelBudget.from_text("".join(text.split())))


def each_once(budgets: list[str]) -> list[str]:
    """Return them, provided that none stands twice.

    Raises:
        ValueError: one does.
    """
    twice = next((text for text in budgets if budgets.count(text) > 1), None)
    if twice is not None:
        raise ValueError(f"the budget {twice} stands twice; leave one")
    return budgets
