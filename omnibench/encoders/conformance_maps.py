"""The part of the conformance kit that is about feature maps."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.encoders import Encoder
from omnibench.encoders.levels import levels_of
from omnibench.errors import RequestError
from omnibench.findings import Finding, passed

# Rows and columns that convolutions without padding may lose of a map.
UNPADDED = 3


def check_maps(encoder: Encoder, card: BackboneCard, images: Tensor) -> Iterator[Finding]:
    """Hold the maps of a ViT's last block, or of a CNN's strides, to its full forward."""
    vit = card.patch is not None
    try:
        levels = levels_of(encoder, card).layers  # as segmentation takes them
        layers = [levels[-1]] if vit else list(levels)
        maps = encoder.maps(images, layers)
    except RequestError as error:
        yield Finding("maps", "WARN", str(error), "segmentation is not possible with it")
        return
    size = images.shape[1]
    strides = [card.patch] if card.patch else layers
    sides = [(m.shape[2], m.shape[3]) for m in maps]
    slack = 0 if vit else UNPADDED
    yield passed(
        "maps shape",
        len(sides) == len(strides)
        and all(
            size // stride - slack <= side <= -(-size // stride)
            for pair, stride in zip(sides, strides, strict=True)
            for side in pair
        ),
        f"{sides} for {'blocks' if vit else 'strides'} {layers}",
        "return [B, D, h, w] for each layer asked for",
    )
    full = _last_block(encoder, images, maps[-1])
    if full is not None:
        difference = float((full - maps[-1]).abs().max() / full.abs().max())
        yield passed(
            "maps equal the full forward",
            difference < 1e-4,
            f"the last map against the last block's output: largest difference {difference:.1e}",
            "maps must be the blocks' outputs inside the full forward",
        )


def _last_block(encoder: Encoder, images: Tensor, last: Tensor) -> Tensor | None:
    """The output of a ViT's last block inside its full forward, in the shape of its map.

    None where the encoder is no ViT, or keeps its blocks in no list of their number.
    """
    module, depth = getattr(encoder, "module", None), getattr(encoder, "depth", None)
    lists = [
        part
        for part in (module.modules() if isinstance(module, nn.Module) and depth else ())
        if isinstance(part, nn.ModuleList | nn.Sequential) and len(part) == depth
    ]
    if not lists:
        return None
    outputs: list[Any] = []
    hook = lists[0][-1].register_forward_hook(lambda *call: outputs.append(call[-1]))
    try:
        encoder.embed(images)
    finally:
        hook.remove()
    output = outputs[-1] if outputs else ()
    parts = [_as_map(part, last) for part in (output if isinstance(output, tuple) else (output,))]
    return next((part for part in parts if part is not None), None)


def _as_map(output: Any, last: Tensor) -> Tensor | None:
    """Tokens behind their prefix, or a map in either layout, as a map like `last` [B, D, h, w]."""
    batch, width, rows, columns = last.shape
    if not isinstance(output, Tensor) or len(output) != batch:
        return None
    if output.ndim == 4:
        output = output if output.shape[1] == width else output.permute(0, 3, 1, 2)
        return output if output.shape == last.shape else None
    if output.ndim != 3 or output.shape[2] != width or output.shape[1] < rows * columns:
        return None
    patches = output[:, output.shape[1] - rows * columns :]
    return patches.transpose(1, 2).reshape(last.shape)
