"""How wide the decoder is for a backbone, and so what it costs. No torch."""

from omnibench.cell import Unit

HEADS = 6  # of the hybrid encoder's attention
# The width of the decoder where a ViT's own does not serve: the study's small model's.
DEFAULT_WIDTH, LARGEST_WIDTH = 384, 768


def decoder_width(width: int, tokens: bool) -> int:
    """The decoder's width D: a ViT's own up to 768 where the attention heads divide it, else 384.

    The study has 384 and 768 alone; a wider ViT is projected to 768, a CNN to 384.

    Args:
        width: of the backbone's last map.
        tokens: whether it is a ViT's.
    """
    if tokens and width > LARGEST_WIDTH:
        return LARGEST_WIDTH
    return width if tokens and width % (4 * HEADS) == 0 else DEFAULT_WIDTH


def decoder_flops(unit: Unit) -> float:
    """FLOPs of one forward of the decoder, as counted at 448 px: 1.5 S^2 D^2 within a fifth."""
    card, size = unit.backbone, unit.recipe["input_size"]
    width = decoder_width(card.width or DEFAULT_WIDTH, card.patch is not None)
    return float(1.5 * size**2 * width**2)
