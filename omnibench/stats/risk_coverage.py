"""Risk against coverage of a unit's repetitions, and how far it moves on other patients."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from omnibench.stats.blocks import block_of, moved_by_blocks
from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Bools, Ints
from omnibench.stats.over_patients import margins
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.selective import (
    accepted,
    augrc,
    augrc_by_case,
    failure_auroc_by_case,
    in_order,
    risk_at,
    risks,
    tied_means,
)
from omnibench.stats.uncertainty import ensemble, msp, mutual_information, of_two

COVERAGES = tuple(range(5, 101, 5))  # percent


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a unit's repetitions decide wrong, and how uncertain they are: [R, N, K] each.

    A case is one decision (K = 1), or one for each of K labels, ranked by its own probability.
    Numbers of several labels are means over them.

    Attributes:
        uncertainty: by the largest probability.
    """

    uncertainty: Floats
    errors: Bools

    @classmethod
    def from_logits(cls, logits: Logits) -> "Decisions":
        """Return the decisions that stored logits make."""
        if logits.multi_label:
            return cls(msp(of_two(logits.values)), logits.decisions != logits.truth)
        wrong = logits.values.argmax(axis=2) != logits.labels
        return cls(msp(logits.values)[:, :, None], wrong[:, :, None])

    @property
    def augrc_by_case(self) -> Floats:
        """Return values [R, N] whose means are the AUGRC of each repetition."""
        return self._by_case(augrc_by_case)

    @property
    def failure_auroc_by_case(self) -> Floats:
        """Return the same of the AUROC of failures; NaN where it is undefined."""
        return self._by_case(failure_auroc_by_case)

    def accuracy_at(self, coverage: int) -> float:
        """Return the mean accuracy over repetitions at a coverage in percent."""
        return 1 - float(np.mean([risk_at(in_order(u, e), coverage) for u, e in self._each()]))

    def _by_case(self, values: Callable[[Floats, Bools], Floats]) -> Floats:
        repetitions, cases, labels = self.errors.shape
        each = np.stack([values(*decided) for decided in self._each()])
        means: Floats = each.reshape(repetitions, labels, cases).mean(axis=1)
        return means

    def _each(self) -> Iterator[tuple[Floats, Bools]]:
        """Yield uncertainty and errors [N] of each repetition's labels."""
        for uncertainty, errors in zip(self.uncertainty, self.errors, strict=True):
            yield from zip(uncertainty.T, errors.T, strict=True)

    def curve(self, cases: Cases) -> "Curve":
        """Return the mean risk over repetitions at `COVERAGES`, and how blocks move it.

        Raises:
            RefusedError: all cases are of one patient.
        """
        block = block_of(cases.cluster, np.ones(len(cases.ids), np.bool_))
        blocks = int(block.max()) + 1
        if blocks < 2:
            raise RefusedError("all test cases are of one patient, who tells nothing of others")
        whole, best = np.zeros(len(COVERAGES)), np.zeros(len(COVERAGES))
        without = np.zeros((blocks, len(COVERAGES)))
        each = list(self._each())
        for uncertainty, errors in each:
            order = np.argsort(uncertainty, kind="stable")
            parts = uncertainty[order], errors[order], block[order]
            whole += _at_coverages(*parts, -1)
            without += [_at_coverages(*parts, k) for k in range(blocks)]
            best += risks(np.sort(errors).astype(np.float64))[_places(len(errors))]
        count = len(each)
        rows = moved_by_blocks((whole - without).T / count)
        return Curve(whole / count, rows, best / count, float(self.errors.mean()))


@dataclass(frozen=True, eq=False)
class Curve:
    """Risk at T coverages.

    Attributes:
        risk: [T], mean over repetitions.
        rows: [T, B] how much each block of patients moves it, as of `Influence`.
        oracle: [T] of the order that accepts all right answers first.
        random: of an order by chance, the same at every coverage.
    """

    risk: Floats
    rows: Floats
    oracle: Floats
    random: float

    def less(self, other: "Curve") -> tuple[Floats, Floats]:
        """Return the difference in risk from another model's on the same cases, and its margin.

        The margin is half the width of the 95 % interval over patients, at each coverage by itself.
        """
        return self.risk - other.risk, margins(self.rows - other.rows)

    @property
    def margin(self) -> Floats:
        """Return half the width of the 95 % interval of the risk over patients: [T]."""
        return margins(self.rows)


def ensemble_augrc(logits: Logits) -> dict[str, float] | None:
    """Return the AUGRC of a unit's repetitions as one ensemble, by two rules of uncertainty.

    Their mean probability decides. "msp" ranks by its largest entry, "mutual information" by how
    much the repetitions disagree. None of a single repetition.
    """
    if len(logits.values) < 2:
        return None
    values = of_two(logits.values) if logits.multi_label else logits.values[:, :, None]
    truth = logits.truth.astype(np.intp) if logits.multi_label else logits.labels[:, None]
    mean = ensemble(values)  # [N, K, C]
    wrong = mean.argmax(axis=2) != truth
    rules = {"msp": msp(mean), "mutual information": mutual_information(values)}
    return {
        name: float(np.mean([augrc(in_order(u, e)) for u, e in zip(rule.T, wrong.T, strict=True)]))
        for name, rule in rules.items()
    }


def _places(cases: int) -> Ints:
    return np.array([accepted(coverage, cases) - 1 for coverage in COVERAGES])


def _at_coverages(ordered: Floats, errors: Bools, block: Ints, left_out: int) -> Floats:
    """Return the risks [T] of cases in order without those of a block."""
    stay = block != left_out
    means = risks(tied_means(ordered[stay], errors[stay]))
    return means[_places(len(means))]
