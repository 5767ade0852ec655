"""`mean`, `max` and `median`: a linear layer on a statistic of each study's slices."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Split
from omnibench.encoders.frozen import UnitFeatures
from omnibench.tasks.classification.cases import Cases
from omnibench.tasks.classification.probes import Fit, fit_linear

from .bags import Layout, views_of, with_absent
from .pooling import summarise
from .studies import presence


def fit_studies(
    unit: Unit, features: UnitFeatures, cases: Cases, context: Context
) -> Iterator[Fit]:
    """Yield each repetition's fit of a linear layer on embeddings [S, D] of studies."""
    views = views_of(cases.dataset)
    further = presence(Layout.from_split(cases.dataset.splits["test"], views), views)
    for fit in fit_linear(unit, features, cases, context):
        yield replace(fit, further=further)


def _fit(
    statistic: str, unit: Unit, features: UnitFeatures, cases: Cases, context: Context
) -> Iterator[Fit]:
    """Return each repetition's fit."""
    views, splits = views_of(cases.dataset), cases.dataset.splits
    pooled = {
        name: _pooled(own, splits[name], statistic, views) for name, own in features.arrays.items()
    }
    return fit_studies(unit, replace(features, arrays=pooled), cases, context)


def _pooled(
    features: NDArray[np.float32], split: Split, statistic: str, views: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return the statistic [S, D] of the features [N, D] of a split's slices."""
    layout, rows = Layout.from_split(split, views), with_absent(torch.from_numpy(features))
    studies = [np.array([study]) for study in range(split.cases)]
    return torch.cat([summarise(layout.slices(rows, own), statistic) for own in studies]).numpy()


fit_mean, fit_max, fit_median = (partial(_fit, name) for name in ("mean", "max", "median"))
