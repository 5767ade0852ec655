"""The frozen embeddings of a unit's images, those that it is tested on further too."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Split
from omnibench.data.views import TEST
from omnibench.encoders.frozen import UnitFeatures, unit_features

from .cases import Cases


def embeddings(unit: Unit, cases: Cases, context: Context, *names: str) -> UnitFeatures:
    """Return the embeddings of splits, by name, and of each view as "test@VIEW".

    Of a view of another dataset they are computed of its whole split, once for whoever asks for
    them, and those of its tested images are returned. Of a mix both qualities of a split are, and
    stand one after the other, as in `cases.dataset`.
    """
    parts: dict[str, Mapping[str, Split]] = {n: {n: cases.dataset.splits[n]} for n in names}
    if cases.qualities is not None:
        parts |= {n: own for n, own in cases.qualities.parts.items() if n in names}
    views = {f"{TEST}@{name}": view for name, view in cases.views.items()}
    splits = {name: split for own in parts.values() for name, split in own.items()}
    splits |= {name: view.whole for name, view in views.items()}
    owners = {name: (view.unit, view.name) for name, view in views.items()}
    features = unit_features(unit, splits, context, owners)
    arrays = {n: np.concatenate([features.arrays[k] for k in own]) for n, own in parts.items()}
    arrays |= {name: features.arrays[name][view.rows] for name, view in views.items()}
    return replace(features, arrays=arrays)
