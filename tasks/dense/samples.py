"""What one model answered for single test images, for sheets of disagreement."""

from omnibench.samples import CaseAnswers
from omnibench.task import Predictions

from .metrics import errors


def case_answers(predictions: Predictions, unit: str) -> CaseAnswers:
    """Return the mean absolute error of each test image; less is better, so its negative ranks."""
    mae = errors(predictions)["mae"]
    answers = [f"MAE {value:.3g} {unit}" for value in mae]
    return CaseAnswers("mean absolute error", [""] * len(mae), answers, -mae)
