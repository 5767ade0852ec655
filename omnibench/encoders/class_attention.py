"""How much the class token attends to each patch in a ViT's last block, where that can be had."""

from typing import Any

import torch
from torch import Tensor

from omnibench.encoders import TrainableEncoder
from omnibench.encoders.timm_encoder import TimmEncoder
from omnibench.encoders.transformers_encoder import TransformersEncoder


def class_attention(encoder: TrainableEncoder, pixels: Tensor) -> Tensor | None:
    """Return the attention of the class token to the patches, [B, h, w], mean over the heads.

    None of a backbone without class token, without attention, or whose attention is not shown.

    Args:
        pixels: prepared, [B, 3, S, S].
    """
    if isinstance(encoder, TimmEncoder) and encoder.architecture.class_token:
        shares, side = (
            _of_timm(encoder, pixels),
            pixels.shape[-1] // (encoder.architecture.patch or 1),
        )
    elif isinstance(encoder, TransformersEncoder) and encoder.prefix_tokens:
        shares, side = _of_transformers(encoder, pixels), encoder.side
    else:
        return None
    prefix = encoder.prefix_tokens
    if shares is None or shares.shape[-1] != prefix + side**2:
        return None
    return shares[:, :, 0, prefix:].float().mean(dim=1).reshape(-1, side, side)


def _of_timm(encoder: TimmEncoder, pixels: Tensor) -> Tensor | None:
    """Return the last block's attention [B, heads, N, N], as it enters its dropout."""
    blocks = getattr(encoder.module, "blocks", None)
    attention: Any = getattr(blocks[-1], "attn", None) if blocks else None
    if not hasattr(attention, "fused_attn") or not hasattr(attention, "attn_drop"):
        return None
    seen: list[Tensor] = []
    hook = attention.attn_drop.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    fused, attention.fused_attn = attention.fused_attn, False
    try:
        with torch.no_grad():
            encoder.pooled(pixels)
    finally:
        attention.fused_attn = fused
        hook.remove()
    return seen[0] if seen else None


def _of_transformers(encoder: TransformersEncoder, pixels: Tensor) -> Tensor | None:
    """Return the last block's attention [B, heads, N, N], of the implementation that shows it."""
    module = encoder.module
    before = module.config._attn_implementation
    module.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            states = encoder.outputs(pixels, output_attentions=True).attentions
    finally:
        module.set_attn_implementation(before)
    return states[-1] if states else None
