"""Drop path (stochastic depth, Huang et al. 2016): images skip residual branches of a backbone."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn

from omnibench.encoders import TrainableEncoder
from omnibench.errors import RequestError
from omnibench.training.job import Batch
from omnibench.training.random import stream


class DroppedPaths:
    """The branches of a timm backbone that images skip, each at the rate that timm gives it.

    A branch draws for the whole step and takes the places of its part, so that neither
    micro-batches nor processes change who skips it. Nobody does in evaluation mode.

    Args:
        rate: of the last block; timm spreads it over those before.
        arguments: what timm was told to build the module, beside the name of its architecture.

    Raises:
        RequestError: the backbone has no such branches.
    """

    def __init__(
        self, encoder: TrainableEncoder, rate: float, arguments: Mapping[str, Any]
    ) -> None:
        self.generator, self.batch = torch.Generator(), _NO_BATCH
        self.branches: list[_Branch] = []
        module: Any = encoder.module
        for name, probability in _rates(module, rate, arguments).items():
            self.branches.append(_Branch(self, probability).eval())
            module.set_submodule(name, self.branches[-1])

    def set_training(self) -> None:
        """Let images skip branches, in a frozen backbone, too."""
        for branch in self.branches:
            branch.train()

    def begin(self, batch: Batch, seed: int) -> None:
        """Begin the forward pass of a part of a step."""
        self.generator, self.batch = stream(seed, "drop path", batch.step), batch


class _Branch(nn.Module):
    """What a residual branch ends in: 0 for who skips it, else 1 / (1 - probability) times it."""

    def __init__(self, paths: DroppedPaths, probability: float) -> None:
        super().__init__()
        self.paths, self.probability = paths, probability

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, ...] of [B, ...]."""
        if not self.training:
            return x
        batch = self.paths.batch
        if len(x) != len(batch.places):
            raise RequestError(
                "recipe.drop_path: the backbone drops branches of parts of images, not of images; "
                "set it to 0"
            )
        draws = torch.rand(len(batch.whole), generator=self.paths.generator)[batch.places]
        scales = (draws >= self.probability) / (1 - self.probability)
        return x * scales.to(x).view(-1, *[1] * (x.ndim - 1))


_NO_BATCH = Batch(0, *[torch.zeros(0, dtype=torch.int64)] * 3)


def _rates(module: Any, rate: float, arguments: Mapping[str, Any]) -> dict[str, float]:
    """Return the probability of every branch that timm would drop, by its name in the module.

    timm is told the rate when it builds a network: it builds this one again, without its weights.
    """
    name = getattr(module, "pretrained_cfg", {}).get("architecture")
    rates: dict[str, float] = {}
    if name is not None:
        options = {"num_classes": 0, **arguments, "drop_path_rate": rate}
        try:
            with torch.device("meta"), torch.random.fork_rng(devices=[]):
                outline: Any = timm.create_model(name, pretrained=False, **options)
        except TypeError:  # of a network that knows no such argument
            outline = nn.Identity()
        parts = outline.named_modules()
        rates = {n: part.drop_prob for n, part in parts if isinstance(part, DropPath)}
    if not any(rates.values()):
        raise RequestError(
            f"recipe.drop_path: {name or type(module).__name__} has no branches to drop; set it to "
            "0"
        )
    return {name: probability for name, probability in rates.items() if probability}
