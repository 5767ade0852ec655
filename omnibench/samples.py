"""What a task shows of single test cases: the truth, an answer, how good it is. No torch here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Paint = Callable[[int, NDArray[Any]], NDArray[Any]]
# Reads what a record left beside it, by its ending ("masks.npz"); None where there is none.
Beside = Callable[[str], bytes | None]


@dataclass(frozen=True)
class CaseAnswers:
    """What one model answered for each of a dataset's N test cases.

    Attributes:
        measure: what the scores are, in words.
        truth: [N] what is true of each case; "" where its picture shows it.
        answers: [N] what the model predicted, in words, with its score or probability.
        scores: [N] how good each answer is, more is better; NaN where that is undefined. Cases are
            sorted by how far the models' scores lie apart.
        paint: (case, image uint8 [H, W, 3]) -> the image with what was predicted laid over it;
            None where there is nothing to lay.
        legend: what the colours laid over an image mean.
    """

    measure: str
    truth: Sequence[str]
    answers: Sequence[str]
    scores: NDArray[Any]
    paint: Paint | None = None
    legend: str = ""
