"""How backbones were compared, in words: what was not done is left out."""

import math
from collections.abc import Iterator, Sequence

from omnibench.report.across import PAIR, RANK, RESAMPLES
from omnibench.report.study import Study
from omnibench.report.table import DASH
from omnibench.report.words import CORRECTED, counted, listed, questions, ranged
from omnibench.stats.pair import Comparison

CORRECTIONS = {
    "holm": "Holm's step-down procedure",
    "benjamini-hochberg": "Benjamini and Hochberg's step-up procedure",
}


def comparison_words(study: Study) -> Iterator[str]:
    """Yield sentences on the differences from the baseline and on who may be the best."""
    tested = [c for c in study.comparisons if c.test != "none"]
    if tested:
        yield from _differences(study, tested)
    else:
        yield "No difference from a baseline was tested."
    runs = sorted({c.test_runs for c in study.comparisons if c.test_runs != "none"})
    if runs:
        yield (
            f"Runs alone were compared on these test images by {listed(runs)}, with Hedges g "
            "(exact small-sample factor); no verdict follows from it."
        )
    yield from _monitored(study)
    yield from _best(study)
    if any(c.equivalent is not None for c in tested):
        yield (
            f"Equivalence was tested within {study.margin:g} points of primary metrics by two "
            "one-sided t tests at the 5 % level, with the same variances and not corrected."
        )
    if len(tested) < len(study.comparisons):
        yield (
            f"{counted(len(study.comparisons) - len(tested), 'comparison')} could not be tested, "
            "for the reasons given beside them."
        )
    yield from study.beyond_margin


def _differences(study: Study, tested: Sequence[Comparison]) -> Iterator[str]:
    yield (
        f"Differences from {study.baseline} were tested two-sided for "
        f"{questions(c.test for c in tested)}, with 95 % intervals by the t distribution: the "
        "variance over test images (by patient where patients are known), on which models are "
        "paired, and the variance over repetitions, which are not paired, with Satterthwaite's "
        "degrees of freedom."
    )
    varies = {
        (table.task, row.backbone, row.adaptation): row.varies
        for table in study.chosen
        for row in table.rows
    }
    if any(varies.get((c.task, c.backbone_a, c.adaptation)) == "head seed" for c in tested):
        yield "Repetitions of frozen probes differ in the head's seed alone."
    deciding = [c for c in tested if c.primary]
    if deciding:
        metrics = listed(c.metric for c in deciding)
        families = ranged((c.family for c in deciding), "comparison")
        yield (
            f"Verdicts are on each task's primary metric ({metrics}). P values were corrected by "
            f"{CORRECTIONS[study.correction]} over families of {families}: the backbones compared "
            f"with {study.baseline} on one dataset with one adaptation; a dagger marks a corrected "
            "p below .05."
        )
        if len(deciding) < len(tested):
            yield "Other metrics are described by their intervals, which are not corrected."
    else:
        yield "No primary metric was tested; others are described by their intervals."
    same = sum(c.verdict == "identical" for c in tested)
    if same:
        yield (
            "Models that no test image tells apart in any repetition are called identical "
            f"({counted(same, 'comparison')})."
        )


def _monitored(study: Study) -> Iterator[str]:
    if not study.monitored:
        return
    looks = [c.looks for c in study.comparisons if c.looks]
    text = "Repetitions were added in rounds until the comparisons of a family were decided"
    if looks:
        text += (
            f"; corrected p and tests of equivalence allow for {ranged(looks, 'planned look')} by "
            "one boundary for all looks (Pocock 1977) at their estimated information"
        )
    yield f"{text}."
    states: dict[str, list[str]] = {}
    for (task, dataset, adaptation), words in study.monitored.items():
        states.setdefault(words, []).append(f"{task} on {dataset} with {adaptation}")
    for words, places in states.items():
        yield f"{listed(places)}: {words}."


def _best(study: Study) -> Iterator[str]:
    cells = (cell for table in study.chosen for _, _, cell in table.cells)
    places = {cell.standing.place for cell in cells if cell.standing is not None}
    if places & {"best", "behind", "undecided"}:
        yield (
            "Bold marks a 95 % confidence set of the best backbone of a dataset and adaptation, "
            "joint over the backbones (comparison with the best, Hsu 1984)."
        )
        if "undecided" in places:
            yield "Where it holds them all, nothing is bold and the caption says undecided."
    if "incomplete" in places:
        yield "Units that lack repetitions take no part in the ranks and are never bold."


def over_datasets(study: Study) -> Iterator[str]:
    """Yield sentences for the methods; none where nothing was complete on several datasets."""
    summed = [row for row in study.overall if math.isfinite(row.p)]
    if summed:
        yield (
            f"On average over datasets, differences from {study.baseline} in the primary metric "
            "were tested two-sided for new images and new runs on these datasets, with the same "
            f"variances; p corrected by {CORRECTED[study.correction]} over the "
            f"{ranged((row.family for row in summed), 'backbone')} of an adaptation."
        )
    standings = [table for table in study.across if table.rows and RANK in table.heads]
    if not standings:
        return
    text = "Over datasets, backbones that are complete on all of them were ranked by their means"
    if any(len(block.means.columns) > 2 for block in study.complete):
        text += (
            " and compared by Friedman's test with Iman and Davenport's F and by Nemenyi's "
            "critical difference at .05"
        )
    yield f"{text}."
    if any(table.heads[0] == PAIR for table in study.across if table.rows):
        yield (
            "Every two were compared by the exact Wilcoxon signed-rank test over datasets, its p "
            f"corrected by {CORRECTED[study.correction]} over all pairs of an adaptation."
        )
    if any(texts[2] != DASH for table in standings for texts in table.texts):
        improved = any(len(table.heads) > 4 for table in standings)
        what = f" and probabilities of improvement over {study.baseline}" if improved else ""
        yield (
            f"Interquartile means{what} have 95 % intervals of a bootstrap of the repetitions "
            f"within each dataset ({RESAMPLES:,} resamples)."
        )
