"""The frozen embeddings of whole volumes, through the feature store."""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Split
from omnibench.data.series import Series
from omnibench.encoders import Encoder, VolumeEncoder
from omnibench.encoders.frozen import FrozenPass, PassFacts, UnitFeatures


def volume_embeddings(unit: Unit, splits: Mapping[str, Split], context: Context) -> UnitFeatures:
    """Return the unit's embedding of each study, [S, D]: the mean of those of its series.

    Args:
        splits: of slices, with their studies.

    Raises:
        DataError: a split knows no studies, or two were made with different weights.
        RequestError: the backbone sees no volumes.
    """
    # One a batch: they have as many slices as they have.
    forward = FrozenPass(unit, context, "embed_volumes", _embed, batch=1)
    series = {name: Series.from_split(split) for name, split in splits.items()}
    rows = {name: forward.stored(name, Split(own)) for name, own in series.items()}
    arrays = {}
    for name, own in series.items():
        starts, sizes = np.unique(own.study, return_index=True, return_counts=True)[1:]
        arrays[name] = np.add.reduceat(rows[name].array(), starts) / sizes[:, None]
    made = PassFacts.from_facts(
        unit,
        {name: features.facts for name, features in rows.items()},
        sum(len(split) for split in splits.values()),
    )
    return UnitFeatures({n: own.astype(np.float32) for n, own in arrays.items()}, made)


def _embed(encoder: Encoder, volumes: Tensor) -> Tensor:
    assert isinstance(encoder, VolumeEncoder)
    return encoder.embed_volumes(volumes).float()
