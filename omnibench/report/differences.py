"""The comparisons with the baseline as tables, one for each metric."""

import math
from collections.abc import Sequence

from omnibench.report.decodings import worth_a_sentence
from omnibench.report.numbers import number, probability
from omnibench.report.page.words import listed, span
from omnibench.report.plain import PlainTable
from omnibench.report.sentences import CORRECTED, metric_names
from omnibench.report.study import Study
from omnibench.stats.pair import Comparison

HEADS = ("compared", "difference", "95 % interval", "p", "corrected p", "Hedges g")


def differences(study: Study) -> list[PlainTable]:
    """Return a table for each task, definition and metric that is worth a sentence."""
    said = worth_a_sentence(study.comparisons, study.shown)
    names = metric_names((c.definition, c.metric) for c in said)
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in said:
        groups.setdefault((c.task, names[c.definition, c.metric]), []).append(c)
    return [
        PlainTable(
            f"Differences from {study.baseline}: {task}, {name}",
            HEADS,
            tuple(_row(c, study.unit_of(c.definition)) for c in found),
            _caption(study, name, found),
        )
        for (task, name), found in groups.items()
    ]


def _row(c: Comparison, unit: str) -> tuple[str, ...]:
    name = f"{c.dataset}, {c.adaptation}: {c.backbone_a}"
    difference = number(c.difference, unit, signed=True)
    if c.test == "none":
        numbers: tuple[str, ...] = (difference, "not tested", "", "", "")
    else:
        numbers = (
            difference,
            f"{number(c.low, unit)} to {number(c.high, unit)}",
            probability(c.p).removeprefix("= "),
            probability(c.p_corrected).removeprefix("= "),
            f"{c.effect:.2f}" if math.isfinite(c.effect) else "\N{EN DASH}",
        )
    return (name, *(text.replace("-", "\N{MINUS SIGN}") for text in numbers))


def _caption(study: Study, name: str, found: Sequence[Comparison]) -> str:
    unit = study.unit_of(found[0].definition)
    text = (
        f"{name} ({found[0].definition}) in {unit}: difference from {study.baseline} in the same "
        "dataset and adaptation."
    )
    tested = [c for c in found if c.test != "none"]
    if tested:
        text += (
            f" Two-sided tests: {listed(sorted({c.test for c in tested}))}. Corrected by "
            f"{CORRECTED[study.correction]} over {span([c.family for c in tested])} comparisons; "
            "the intervals are not corrected. Hedges g: of tests over repetitions only."
        )
    reasons = sorted({c.note for c in found if c.test == "none"})
    return f"{text} Not tested: {'; '.join(reasons)}." if reasons else text
