"""The training features of a group's repetitions, as one batched product takes them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from omnibench.data.label_subset import Subset

from .linear import Standardise


@dataclass(frozen=True)
class TrainingSet:
    """What R repetitions of a group train on.

    Attributes:
        slots: the R places in the group.
        features: float32 [M, D], standardised; targets: float32 [M, C].
        rows: int64 [R, n] of these features that each repetition trains on.
        scales: R shifts and scales, each of its own training features.
    """

    slots: Sequence[int]
    features: Tensor
    targets: Tensor
    rows: Tensor
    scales: Sequence[Standardise]


def training_sets(
    features: Tensor, targets: Tensor, subsets: Sequence[Subset]
) -> Iterator[TrainingSet]:
    """Yield a group's training sets: one where all are of one size, as whole patients need not be.

    Args:
        features: float32 [N, D] of the training split; targets: float32 [N, C].
        subsets: of every repetition of the group, whether it is asked for or not.
    """
    places = range(len(subsets))
    if all(len(subset.train) == len(features) for subset in subsets):
        scale = Standardise.from_features(features)
        rows = torch.arange(len(features)).expand(len(subsets), -1)
        yield TrainingSet(places, scale(features), targets, rows, [scale] * len(subsets))
        return
    equal = len({len(subset.train) for subset in subsets}) == 1
    for slots in [places] if equal else [range(place, place + 1) for place in places]:
        own = [torch.from_numpy(subsets[slot].train).to(features.device) for slot in slots]
        scales = [Standardise.from_features(features[rows]) for rows in own]
        parts = [scale(features[rows]) for scale, rows in zip(scales, own, strict=True)]
        rows = torch.arange(sum(map(len, own))).view(len(slots), -1)
        yield TrainingSet(slots, torch.cat(parts), targets[torch.cat(own)], rows, scales)
