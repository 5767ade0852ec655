"""The frozen embeddings of a unit's images, those that it is tested on further too."""

from dataclasses import replace

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.views import TEST
from omnibench.encoders.frozen import UnitFeatures, unit_features

from .cases import Cases


def embeddings(unit: Unit, cases: Cases, context: Context, *names: str) -> UnitFeatures:
    """Return the embeddings of splits, by name, and of each view as "test@VIEW".

    Of a view of another dataset they are computed of its whole split, once for whoever asks for
    them, and those of its tested images are returned.
    """
    splits = {name: cases.dataset.splits[name] for name in names}
    views = {f"{TEST}@{name}": view for name, view in cases.views.items()}
    splits |= {name: view.whole for name, view in views.items()}
    owners = {name: (view.unit, view.name) for name, view in views.items()}
    features = unit_features(unit, splits, context, owners)
    tested = {name: features.arrays[name][view.rows] for name, view in views.items()}
    return replace(features, arrays={**features.arrays, **tested})
