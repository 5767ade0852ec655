"""The points of curves over label budgets, from the records of one task, dataset and metric."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from omnibench.stats.cases import Cases, Predictions, bare, read_cases, refuse_other_cases
from omnibench.stats.influence import Influence, influences
from omnibench.stats.pair import refuse_disagreeing
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.units import Score


@dataclass(frozen=True, eq=False)
class Curve:
    """One model's metric at K label budgets, the fewest labels first.

    Attributes:
        adaptations: [K] its forms, which tell the budgets.
        labels: [K] training images, the mean over repetitions; no two equal.
        means: [K], over repetitions.
        repetitions: [K] their numbers.
        influences: [K]; () where there is no interval, and `note` says why.
    """

    backbone: str
    adaptations: tuple[str, ...]
    labels: Floats
    means: Floats
    repetitions: tuple[tuple[int, ...], ...]
    influences: tuple[Influence, ...] = ()
    note: str = ""

    @property
    def x(self) -> Floats:
        """Return log2 of the labels: [K]."""
        logs: Floats = np.log2(self.labels)
        return logs


def curves_of(values: pd.DataFrame, predictions: Predictions, score: Score) -> list[Curve]:
    """Return the curve of each backbone that has two label budgets or more.

    Args:
        values: rows of the long table of `units.COLUMNS` of one task, dataset and metric, with the
            number of training images in a column "labels"; their adaptations differ in the label
            budget alone.
        predictions: digest -> what that record stored for its test cases.
        score: of the metric.
    """
    first: Cases | None = None
    curves = []
    for backbone, rows in values.groupby("backbone", sort=False):
        points = _points(rows)
        if len(points) < 2:
            continue
        note, moved = "", list[Influence]()
        try:
            for point in points:
                influence, cases = _influence(point, str(backbone), predictions, score)
                if first is None:
                    first = bare(cases)
                refuse_other_cases(first, cases, "the models of this dataset")
                moved.append(influence)
        except RefusedError as reason:
            note, moved = str(reason), []
        curves.append(
            Curve(
                str(backbone),
                tuple(str(point["adaptation"].iloc[0]) for point in points),
                np.array([point["labels"].mean() for point in points]),
                np.array([point["value"].mean(skipna=False) for point in points]),
                tuple(tuple(map(int, point["repetition"])) for point in points),
                tuple(moved),
                note,
            )
        )
    return curves


def _points(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each budget, few labels first; of two with equal labels the latter."""
    groups = [some.sort_values("repetition") for _, some in rows.groupby("adaptation", sort=False)]
    by_labels = {float(some["labels"].mean()): some for some in groups}
    return [by_labels[labels] for labels in sorted(by_labels) if labels > 0]


def _influence(
    point: pd.DataFrame, backbone: str, predictions: Predictions, score: Score
) -> tuple[Influence, Cases]:
    digests = dict(zip(point["repetition"].tolist(), point["digest"].tolist(), strict=True))
    cases = read_cases(digests, predictions, [score])
    outcome = influences(cases, [score], again=[score]).get(score)
    if isinstance(outcome, RefusedError):
        raise outcome
    if not isinstance(outcome, Influence):
        raise RefusedError("the metric is no mean over test images and cannot be computed again")
    refuse_disagreeing(backbone, outcome, point["value"].to_numpy(np.float64))
    varies = point["varies"].iloc[0] != "nothing"
    if varies and len(outcome.values) < 2:
        raise RefusedError("a single repetition does not tell how others would do")
    return outcome, cases
