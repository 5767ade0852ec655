"""Sum a comparison up over datasets."""

from collections.abc import Collection

import numpy as np
import pandas as pd


def overall(comparisons: pd.DataFrame, lower_is_better: Collection[str]) -> pd.DataFrame:
    """Return one row for each task, adaptation, definition, metric and pair of backbones.

    Args:
        comparisons: what `compare_pairs` returns.
        lower_is_better: metrics that improve downwards.

    Returns:
        The keys and: datasets (compared; those without a difference are counted in `missing`),
        mean_difference (unweighted, a - b, as a fraction), wins and losses of a (ties are neither).
    """
    keys = ["task", "adaptation", "definition", "metric", "backbone_a", "backbone_b"]
    gain = comparisons["difference"] * np.where(
        comparisons["metric"].isin(list(lower_is_better)), -1, 1
    )
    summary = (
        comparisons.assign(wins=gain > 0, losses=gain < 0, missing=gain.isna())
        .groupby(keys, sort=False)
        .agg(
            datasets=("difference", "count"),
            missing=("missing", "sum"),
            mean_difference=("difference", "mean"),
            wins=("wins", "sum"),
            losses=("losses", "sum"),
        )
    )
    return summary.reset_index()
