"""Selective prediction from stored logits: a definition for each rule of uncertainty.

`selective-msp` ranks cases by their largest probability, `-entropy` and `-margin` by those of the
softmax, `-energy` by the log of the summed exponentials, `-evidence` by the vacuity of a stored
`test_evidence`. With two classes entropy and margin rank as the largest probability does, so these
two are of more classes. Of a multi-label dataset each label is a problem of its own, decided at
0.5; its numbers are means over labels.

Areas under the ROC curve are of the cases that a coverage accepts: `auc-val-75` up to the
uncertainty that accepts 75 % of the validation split, and `coverage-val-75` what that accepts of
the test split; `auc-test-75` up to that of the test split itself, which nobody has beforehand.

`failure-auroc` is None where every answer is right or none is, those areas where they are of one
class alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import Bools, binary_auc, mean_auc, softmax
from omnibench.stats.result import Floats
from omnibench.stats.selective import (
    augrc,
    augrc_by_case,
    aurc_geifman,
    aurc_trapezoid,
    coverage_at,
    excess_aurc,
    failure_auroc,
    failure_auroc_by_case,
    in_order,
    risk_at,
    threshold,
)
from omnibench.stats.uncertainty import RULES, of_two, vacuity
from omnibench.task import Predictions, metrics_of_pass

COVERAGES = (50, 75, 80, 90, 95)  # percent, of accuracy and risk
RISKS = (1, 5, 10)  # percent
OF_AUC = 75  # percent, of the areas under the ROC curve
MSP, ENERGY, EVIDENCE = "msp", "energy", "evidence"
# Evidence belongs to logits where both give the same probabilities.
_SAME = 1e-3

NAMES = ("augrc", "failure-auroc", "auc-val-75", "coverage-val-75", "auc-test-75")
# Of the largest probability alone: those of every rule would be many numbers that nobody reads.
ACCURACIES = tuple(f"accuracy-at-coverage-{c}" for c in COVERAGES)
AT_COVERAGE = tuple(f"risk-at-coverage-{c}" for c in COVERAGES)
AT_RISK = tuple(f"coverage-at-risk-{r}" for r in RISKS)
AREAS = ("aurc-geifman", "aurc-trapezoid", "eaurc")
FURTHER = (*AREAS, *ACCURACIES, *AT_COVERAGE, *AT_RISK)
DOWN = ("augrc", *AREAS, *AT_COVERAGE)


@dataclass(frozen=True, eq=False)
class Problem:
    """One decision about every test case: its class, or whether it shows a label.

    Attributes:
        uncertainty: [N] by a rule, under which the test cases are ranked.
        errors: [N] which of them are decided wrong.
        val: [M] uncertainty of the validation split; None where it is not stored.
        area: chosen cases [N] -> area under the ROC curve of these, None where it is undefined.
    """

    uncertainty: Floats
    errors: Bools
    val: Floats | None
    area: Callable[[Bools], float | None]

    def metrics(self) -> Iterator[tuple[str, float | None]]:
        """Yield each of `NAMES` with its value; of those of validation where that is stored."""
        yield "augrc", augrc(self._ordered)
        yield "failure-auroc", failure_auroc(self.uncertainty, self.errors)
        yield "auc-test-75", self.area(self._within(self.uncertainty))
        if self.val is not None:
            chosen = self._within(self.val)
            yield "auc-val-75", self.area(chosen)
            yield "coverage-val-75", float(chosen.mean())

    def further(self) -> Iterator[tuple[str, float | None]]:
        """Yield each of `FURTHER` with its value."""
        ordered = self._ordered
        yield "aurc-geifman", aurc_geifman(ordered)
        yield "aurc-trapezoid", aurc_trapezoid(ordered)
        yield "eaurc", excess_aurc(ordered, self.errors)
        at = [risk_at(ordered, coverage) for coverage in COVERAGES]
        yield from zip(ACCURACIES, (1 - risk for risk in at), strict=True)
        yield from zip(AT_COVERAGE, at, strict=True)
        yield from zip(AT_RISK, (coverage_at(ordered, bound) for bound in RISKS), strict=True)

    def per_case(self) -> Iterator[tuple[str, Floats]]:
        """Yield each metric that is a mean over cases, or that such a mean tells the spread of."""
        yield "augrc", augrc_by_case(self.uncertainty, self.errors)
        yield "failure-auroc", failure_auroc_by_case(self.uncertainty, self.errors)
        if self.val is not None:
            yield "coverage-val-75", self._within(self.val).astype(np.float64)

    @cached_property
    def _ordered(self) -> Floats:
        """Return the errors in the order of acceptance."""
        return in_order(self.uncertainty, self.errors)

    def _within(self, reference: Floats) -> Bools:
        """Return the test cases up to the uncertainty that accepts 75 % of others."""
        within: Bools = self.uncertainty <= threshold(reference, OF_AUC)
        return within


def problems(rule: str, predictions: Predictions) -> list[Problem]:
    """Return the problem of a dataset, or one for each label; [] where the rule has none."""
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    uncertain = _uncertainty(rule, predictions, "test")
    if uncertain is None:
        return []
    val = _uncertainty(rule, predictions, "val")
    if labels.ndim == 1:
        area = partial(_area, _ranking(logits), labels)
        return [Problem(uncertain, logits.argmax(axis=1) != labels, val, area)]
    truth = labels.astype(np.bool_)
    return [
        Problem(
            uncertain[:, k],
            (logits[:, k] > 0) != truth[:, k],
            None if val is None else val[:, k],
            partial(_label_area, logits[:, k], truth[:, k]),
        )
        for k in range(truth.shape[1])
    ]


def _uncertainty(rule: str, predictions: Predictions, split: str) -> Floats | None:
    """Return the uncertainty of a split's cases [N] or of its labels [N, L], if it has one."""
    several = predictions["test_labels"].ndim == 2
    stored = predictions.get(f"{split}_{EVIDENCE if rule == EVIDENCE else 'logits'}")
    if stored is None or not len(stored):
        return None
    if rule == EVIDENCE:
        return vacuity(stored) if _has_evidence(predictions) else None
    if several:
        return RULES[rule](of_two(stored)) if rule == MSP else None
    return RULES[rule](stored) if stored.shape[1] > 2 or rule in (MSP, ENERGY) else None


def _has_evidence(predictions: Predictions) -> bool:
    """Return whether evidence is stored, and of these logits."""
    logits, evidence = predictions["test_logits"], predictions.get("test_evidence")
    if evidence is None or len(evidence) != len(logits):
        return False
    shares = (evidence + 1) / (evidence + 1).sum(axis=-1, keepdims=True)
    expected = softmax(logits if evidence.ndim == 2 else of_two(logits)[..., ::-1])
    return bool(np.allclose(shares, expected, atol=_SAME))


def _ranking(logits: NDArray[Any]) -> Floats:
    """Return what ranks the cases by each class: of two one column, which cannot saturate."""
    if logits.shape[1] == 2:
        return np.diff(logits.astype(np.float64), axis=1)
    return softmax(logits)


def _area(ranking: Floats, labels: NDArray[Any], chosen: Bools) -> float | None:
    ranking, labels = ranking[chosen], labels[chosen]
    if ranking.shape[1] == 1:
        return binary_auc(labels == 1, ranking[:, 0])
    return mean_auc(labels[:, None] == np.arange(ranking.shape[1]), ranking)


def _label_area(logits: NDArray[Any], truth: Bools, chosen: Bools) -> float | None:
    return binary_auc(truth[chosen], logits[chosen])


def compute(rule: str, predictions: Predictions) -> Mapping[str, float | None]:
    """Return the metrics of a rule; of several labels their means, None where one has none."""
    each = []
    for problem in problems(rule, predictions):
        each.append(dict(problem.metrics()))
        if rule == MSP:
            each[-1] |= dict(problem.further())
    return _means(each)


def per_case(predictions: Predictions) -> Mapping[str, Floats]:
    """Return the metrics of the largest probability that have values a case; of labels means."""
    each = [dict(problem.per_case()) for problem in problems(MSP, predictions)]
    return {name: np.mean([part[name] for part in each], axis=0) for name in each[0]}


def _means(each: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for name in (each or [{}])[0]:
        values = [part[name] for part in each]
        defined = [value for value in values if value is not None]
        means[name] = float(np.mean(defined)) if len(defined) == len(values) else None
    return means


METRICS = tuple(
    metric
    for rule in (*RULES, EVIDENCE)
    for metric in metrics_of_pass(
        f"selective-{rule}",
        (*NAMES, *FURTHER) if rule == MSP else NAMES,
        partial(compute, rule),
        down=DOWN,
        neither=("coverage-val-75",),  # the share that was asked for, more or less
        # Reports read these of each record, so that those of every rule would take their time.
        per_case=per_case if rule == MSP else None,
    )
)
