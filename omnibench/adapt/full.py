"""`head` and `full`: a frozen backbone under a trained head, and one that is trained throughout."""

from collections.abc import Mapping
from typing import Any

from omnibench.adapt.trainable import Trainable
from omnibench.encoders import TrainableEncoder


def frozen(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Leave the backbone frozen."""
    return Trainable(encoder, gradients=False)


def whole(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Train the whole backbone."""
    encoder.module.requires_grad_(True)
    return Trainable(encoder, set_mode=encoder.module.train)
