"""Costs before anything runs: FLOPs of a forward pass, and what this machine does a second."""

from dataclasses import dataclass

from omnibench.calibration import Calibration, recall
from omnibench.cards import BackboneCard
from omnibench.context import Context

# FLOP/s that a core and a GPU reach, where `bench.py speed` has not measured them.
CORE_RATE = {"fp32": 60e9, "bf16": 120e9}
GPU_RATE = {"fp32": 30e12, "bf16": 200e12}
# Forward passes that training costs where gradients go: a backward pass costs two.
TRAINED = 3


@dataclass(frozen=True)
class Rates:
    """FLOP/s of one device: as measured, else rough ones."""

    device: str
    threads: int
    calibration: Calibration

    @classmethod
    def from_context(cls, context: Context) -> "Rates":
        """Return the rates of a context's device, with what its data folder remembers."""
        return cls(context.device, context.threads, recall(context))

    def frozen(self, precision: str) -> float:
        """FLOP/s of frozen forward passes."""
        rough = frozen_rate(precision, self.device, self.threads)
        return self.calibration.frozen.get(_kind(precision), rough)

    def trained(self, precision: str) -> float:
        """FLOP/s of training, forward and backward together."""
        rough = frozen_rate(precision, self.device, self.threads)
        return self.calibration.trained.get(_kind(precision), rough)


def frozen_rate(precision: str, device: str, threads: int) -> float:
    """FLOP/s that a frozen pass is taken to reach on a device that was not measured."""
    if device.startswith("cuda"):
        return GPU_RATE[_kind(precision)]
    return CORE_RATE[_kind(precision)] * threads


def _kind(precision: str) -> str:
    """fp16 runs as fast as bf16."""
    return "fp32" if precision == "fp32" else "bf16"


def forward_flops(card: BackboneCard, size: int) -> float:
    """FLOPs of one frozen forward of one image.

    A ViT's in closed form (per token 24 D^2 a block, plus 4 N D for attention); a CNN's scaled
    from the card's figure at 224 px.
    """
    if card.patch and card.depth and card.width:
        tokens = (size // card.patch) ** 2 + (card.prefix_tokens or 1)
        block = 24 * card.width**2 + 4 * tokens * card.width
        return float(tokens * card.depth * block + 6 * card.patch**2 * card.width * tokens)
    return (card.flops or 4e9) * (size / 224) ** 2
