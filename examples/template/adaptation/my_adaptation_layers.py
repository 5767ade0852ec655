"""What `my-adaptation` attaches to a backbone. Edit `MyAdaptation.forward`, or all of it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from omnibench import Trainable, TrainableEncoder, blank_embedding


class MyAdaptation(nn.Module):
    """A residual layer: x + U gelu(W norm(x)). U is zero at first, so that it starts as `x`."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.down = nn.Linear(features, width)
        self.up = nn.Linear(width, features)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, embedding: Tensor) -> Tensor:
        """Return [B, D] of embeddings [B, D]."""
        hidden = nn.functional.gelu(self.down(self.norm(embedding)))
        output: Tensor = embedding + self.up(hidden)
        return output


def attach(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put the layer between the frozen backbone's embedding and the task's head."""
    features = blank_embedding(encoder).shape[1]
    layer = MyAdaptation(features, options["width"])
    return Trainable(encoder, gradients=False, on_embedding=layer)
