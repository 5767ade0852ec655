"""What was compared over several datasets, in words."""

from collections.abc import Iterator

from omnibench.report.across import ABSENT, PAIR, RESAMPLES
from omnibench.report.sentences import CORRECTED
from omnibench.report.study import Study


def over_datasets(study: Study) -> Iterator[str]:
    """Yield sentences for the methods; none where nothing was complete on several datasets."""
    standings = [table for table in study.across if table.rows and table.heads[0] != PAIR]
    if not standings:
        return
    text = "Over datasets, backbones that are complete on all of them were ranked by their means"
    if any(len(one.means.columns) > 2 for one in study.complete):
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
    if any(row[2] != ABSENT for table in standings for row in table.rows):
        improved = any(len(table.heads) > 4 for table in standings)
        what = f" and probabilities of improvement over {study.baseline}" if improved else ""
        yield (
            f"Interquartile means{what} have 95 % intervals of a bootstrap of the repetitions "
            f"within each dataset ({RESAMPLES:,} resamples)."
        )
