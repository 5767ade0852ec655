"""How much each patient moves a metric: what its variance over new test images follows from.

Every metric is taken as a function of the patients (or cases, where patients are unknown). Leaving
one out tells how much it counts, by the jackknife: in closed form for means, ratios and areas under
the curve, else by leaving out blocks of patients and computing the metric again.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.stats.blocks import block_of, moved_by_blocks
from omnibench.stats.cases import Cases, Logits
from omnibench.stats.delong import auc_influence
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.units import Score

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Summary:
    """What a test of new patients and runs needs of an influence.

    Attributes:
        values: [R] the metric of each repetition.
        row: [G] how much each patient moves its mean over repetitions.
        of_both: what single repetitions on single patients add to the variance of that mean.
        patients: how many the metric is computed from.
    """

    values: Floats
    row: Floats
    of_both: float
    patients: int

    @cached_property
    def mean(self) -> float:
        """Return the mean over repetitions."""
        return float(self.values.mean())

    @cached_property
    def of_runs(self) -> float:
        """Return the variance of the mean over new repetitions; NaN of a single one."""
        n = len(self.values)
        return float(self.values.var(ddof=1)) / n if n > 1 else math.nan


@dataclass(frozen=True, eq=False)
class Influence:
    """A metric of each of R repetitions, and how much each of G patients moves it.

    Attributes:
        values: [R].
        rows: [R, G], which sum to about zero over patients. Of a row, sum(row^2) * G / (G - 1) is
            the variance of the value over samples of patients; of two rows, the sum of products is
            their covariance. So rows of a difference are the difference of rows. Where G is
            larger than `patients`, the others are zero.
        patients: how many the metric is computed from.
    """

    values: Floats
    rows: Floats
    patients: int

    @cached_property
    def summary(self) -> Summary:
        """Return what tests need of it."""
        n, row = len(self.values), self.rows.mean(axis=0)
        rest = float(np.sum((self.rows - row) ** 2)) * self.patients / (self.patients - 1)
        return Summary(self.values, row, rest / ((n - 1) * n) if n > 1 else 0.0, self.patients)

    def minus(self, other: "Influence") -> "Influence":
        """Return the difference of two metrics of the same repetitions, as of two subgroups."""
        return Influence(
            self.values - other.values,
            self.rows - other.rows,
            min(self.patients, other.patients),
        )


Influences = dict[Score, Influence | RefusedError]


def influences(
    cases: Cases,
    scores: Collection[Score],
    chosen: Bools | None = None,
    again: Collection[Score] = (),
) -> Influences:
    """Return the influences of each metric; one without any way to tell is left out.

    Args:
        cases: what the repetitions of one unit predicted.
        scores: the metrics wanted.
        chosen: [N] of which cases the metric is taken; None for all.
        again: those of them that may be computed again without blocks of patients, which takes
            20 times as long as they do.
    """
    picked = np.ones(len(cases.ids), np.bool_) if chosen is None else chosen
    refused = _refused(cases, picked)
    if refused is not None:
        return dict.fromkeys(scores, refused)
    every: Influences = {}
    patients = Patients.of_cases(cases.cluster, picked)

    @cache  # several definitions have one metric, which they round differently
    def from_logits(metric: str) -> Influence | None:
        if cases.logits is None or cases.weights is not None:  # the formulas know no weights
            return None
        formula = (MULTI_LABEL if cases.logits.multi_label else SINGLE_LABEL).get(metric)
        return None if formula is None else formula(cases.logits, patients)

    for score in scores:
        try:
            if score in cases.values:
                influence: Influence | None = _of_mean(cases.values[score], score[1], patients)
            else:
                influence = from_logits(score[1])
        except RefusedError as reason:
            every[score] = reason
            continue
        if influence is None and score in again:
            influence = _by_blocks(cases, score, picked)
        if influence is not None:
            every[score] = influence
    return every


def _by_blocks(cases: Cases, score: Score, picked: Bools) -> Influence | None:
    """Return a metric's influences by leaving out blocks of patients; None where it has no value.

    A row has an entry a block, which takes the place of a patient.
    """
    definition, metric = score
    block = block_of(cases.cluster, picked)
    blocks = int(block.max()) + 1
    values, changes = [], []
    for recompute in cases.recompute:
        chosen = [picked, *(picked & (block != k) for k in range(blocks))]
        try:
            computed = [recompute(definition, some).get(metric) for some in chosen]
        except OmnibenchError as error:
            raise RefusedError(f"{metric} cannot be computed again: {error}") from error
        defined = [value for value in computed if value is not None]
        if len(defined) < len(chosen):
            return None
        values.append(defined[0])
        changes.append(defined[0] - np.array(defined[1:]))
    if not values:
        return None
    return Influence(np.array(values), moved_by_blocks(np.stack(changes)), blocks)


def _refused(cases: Cases, picked: Bools) -> RefusedError | None:
    patients = len(np.unique(cases.cluster[picked]))
    if patients == 0:
        return RefusedError("there is no test case")
    if patients == 1:
        return RefusedError("all test cases are of one patient, who tells nothing of others")
    return None


def _of_mean(values: Floats, metric: str, patients: "Patients") -> Influence:
    undefined = int(np.count_nonzero(~np.isfinite(values[:, patients.picked]).all(axis=0)))
    if undefined:
        raise RefusedError(f"{metric} is undefined in {undefined} test cases")
    return patients.mean(values)


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of chosen cases.

    Attributes:
        cluster: [N] index of each case's patient.
        picked: [N] the chosen cases.
        total: G, of the whole test set.
        present: [G], who has a chosen case.
    """

    cluster: Ints
    picked: Bools
    total: int
    present: Bools

    @classmethod
    def of_cases(cls, cluster: Ints, picked: Bools) -> "Patients":
        """Tell who the patients of chosen cases are."""
        total = int(cluster.max()) + 1
        return cls(cluster, picked, total, np.bincount(cluster[picked], minlength=total) > 0)

    @property
    def alone(self) -> bool:
        """Tell whether every case is of a patient of its own, in order."""
        return self.total == len(self.cluster) and bool(self.picked.all())

    def sums(self, values: NDArray[Any]) -> Floats:
        """Return the sums of [N, ...] over each patient's chosen cases: [G, ...]."""
        values = np.asarray(values, np.float64)
        if self.alone:
            ordered = np.empty_like(values)
            ordered[self.cluster] = values
            return ordered
        sums = np.zeros((self.total, *values.shape[1:]))
        np.add.at(sums, self.cluster[self.picked], values[self.picked])
        return sums

    def mean(self, values: Floats) -> Influence:
        """Return the influences of the mean over cases of [R, N]."""
        ones = np.ones((len(values), values.shape[1], 1))
        return self.ratios(values[:, :, None], ones, lambda whole: whole > 0)

    def ratios(
        self,
        parts: NDArray[Any],
        wholes: NDArray[Any],
        counts: Callable[[Floats], Bools],
    ) -> Influence:
        """Return the influences of a mean over K of ratios of sums over cases.

        Leaving patient g out, a ratio p / w becomes (p - p_g) / (w - w_g); the change is
        (p_g - w_g p / w) / (w - w_g).

        Args:
            parts, wholes: [R, N, K] what each case adds.
            counts: [K] wholes of a repetition -> which ratios the mean is over.

        Raises:
            RefusedError: no ratio is defined.
        """
        values, rows = [], []
        for part, whole in zip(parts, wholes, strict=True):
            p, w = self.sums(part), self.sums(whole)  # [G, K]
            all_p, all_w = p.sum(axis=0), w.sum(axis=0)
            over = counts(all_w)
            if not over.any():
                raise RefusedError("the metric is undefined: no ratio has a case")
            ratio = all_p[over] / np.maximum(all_w[over], 1)
            rest = all_w[over] - w[:, over]
            # Who is the only one of a class takes it along: the first-order change stands for it.
            rest = np.where(rest > 0, rest, np.maximum(all_w[over], 1))
            values.append(float(ratio.mean()))
            rows.append(((p[:, over] - w[:, over] * ratio) / rest).mean(axis=1))
        return self.centred(np.array(values), np.stack(rows))

    def centred(self, values: Floats, changes: Floats) -> Influence:
        """Return influences from [R, G] changes of the metric when each patient is left out."""
        count = int(self.present.sum())
        mean = changes[:, self.present].mean(axis=1, keepdims=True)
        rows = np.where(self.present, changes - mean, 0.0) * ((count - 1) / count)
        return Influence(values, rows, count)

    def areas(self, ranking: Floats, truth: Bools) -> Influence:
        """Return the influences of the mean area under the ROC curve of K columns.

        Args:
            ranking: [R, N, K]; truth: [N, K].

        Source:
            DeLong, DeLong & Clarke-Pearson 1988; by patient: Obuchowski 1997.
        """
        cluster = self.cluster[self.picked]
        count = int(self.present.sum())
        values, rows = [], []
        for scores in ranking:
            value, moved = auc_influence(scores[None, self.picked], truth[self.picked], cluster)
            values.append(value)
            rows.append(np.bincount(cluster, moved, minlength=self.total))
        return Influence(np.array(values), np.stack(rows) * np.sqrt((count - 1) / count), count)


Formula = Callable[[Logits, Patients], Influence]


def _accuracy(logits: Logits, patients: Patients) -> Influence:
    return patients.mean((logits.decisions & logits.truth).sum(axis=2).astype(np.float64))


def _decisions(logits: Logits, patients: Patients) -> Influence:
    """Take the share of right decisions over all cases and labels (MedMNIST's accuracy)."""
    return patients.mean((logits.decisions == logits.truth).mean(axis=2))


def _balanced_accuracy(logits: Logits, patients: Patients) -> Influence:
    truth = np.broadcast_to(logits.truth, logits.decisions.shape)
    return patients.ratios(logits.decisions & truth, truth, lambda whole: whole > 0)


def _macro_f1(logits: Logits, patients: Patients) -> Influence:
    return patients.ratios(*_f1_parts(logits), lambda whole: whole > 0)


def _label_f1(logits: Logits, patients: Patients) -> Influence:
    """Take the mean F1 over labels, 0 for one neither shown nor predicted (scikit-learn's)."""
    return patients.ratios(*_f1_parts(logits), lambda whole: np.ones_like(whole, np.bool_))


def _f1_parts(logits: Logits) -> tuple[Floats, Floats]:
    decided = logits.decisions
    hits = (decided & logits.truth).astype(np.float64)
    return 2 * hits, decided.astype(np.float64) + logits.truth


def _brier(logits: Logits, patients: Patients) -> Influence:
    return patients.mean(logits.squared_errors)


def _auc(logits: Logits, patients: Patients) -> Influence:
    truth = logits.truth
    if not logits.multi_label and truth.shape[1] == 2:
        truth = truth[:, 1:]
    absent = np.flatnonzero(~truth[patients.picked].any(axis=0)).tolist()
    if absent:
        raise RefusedError(f"the AUC is undefined: no test case is of class {absent}")
    return patients.areas(ranking(logits), truth)


def ranking(logits: Logits) -> Floats:
    """Return what ranks the cases, [R, N, K]: of two classes one column, which cannot saturate."""
    if logits.multi_label:
        return logits.values.astype(np.float64)
    if logits.values.shape[2] == 2:
        return np.diff(logits.values.astype(np.float64), axis=2)
    return logits.probabilities


SINGLE_LABEL: Mapping[str, Formula] = {
    "accuracy": _accuracy,
    "balanced-accuracy": _balanced_accuracy,
    "macro-f1": _macro_f1,
    "auc": _auc,
    "brier": _brier,
}
MULTI_LABEL: Mapping[str, Formula] = {"accuracy": _decisions, "macro-f1": _label_f1, "auc": _auc}
