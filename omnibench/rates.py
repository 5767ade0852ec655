"""Rough costs that need no measuring: FLOPs of a forward pass, and what machines do a second."""

import os

from omnibench.cards import BackboneCard

# FLOP/s that a core and a GPU reach on frozen passes.
CORE_RATE = {"fp32": 60e9, "bf16": 120e9}
GPU_RATE = {"fp32": 30e12, "bf16": 200e12}


def frozen_rate(precision: str, device: str) -> float:
    """FLOP/s that a frozen pass is taken to reach on a device."""
    kind = "fp32" if precision == "fp32" else "bf16"
    if device.startswith("cuda"):
        return GPU_RATE[kind]
    return CORE_RATE[kind] * (os.cpu_count() or 1)


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
