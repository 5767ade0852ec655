"""How wide the decoder is for a backbone, and so what it costs. No torch."""

from omnibench.cell import Unit

HEADS = 6  # of the hybrid encoder's attention
# The width of the decoder where a ViT's own does not serve: the study's small model's.
DEFAULT_WIDTH, LARGEST_WIDTH = 384, 768
WIDTH_STEP = 4 * HEADS  # a width parts into heads, and each position into sines and cosines
DETAIL = (16, 24, 32)  # channels at strides 1, 2 and 4


def decoder_width(width: int, tokens: bool) -> int:
    """The decoder's width D: a ViT's own up to 768 where the attention heads divide it, else 384.

    The study has 384 and 768 alone; a wider ViT is projected to 768, a CNN to 384.

    Args:
        width: of the backbone's last map.
        tokens: whether it is a ViT's.
    """
    if tokens and width > LARGEST_WIDTH:
        return LARGEST_WIDTH
    return width if tokens and width % WIDTH_STEP == 0 else DEFAULT_WIDTH


def decoder_parameters(unit: Unit) -> float:
    """Parameters of the decoder with its prior, as counted at a width of 384."""
    return 14.5e6 * (_width(unit) / DEFAULT_WIDTH) ** 2


def decoder_flops(unit: Unit) -> float:
    """FLOPs of one forward of the decoder, as counted at 448 px: 1.5 S^2 D^2 within a fifth.

    Its detail adds two for each weight of 3 x 3 at each position.
    """
    size, width = unit.recipe["input_size"], _width(unit)
    flops = 1.5 * size**2 * width**2
    if unit.options.get("detail"):
        inputs, outputs = (3, *DETAIL[:2]), (*DETAIL[1:], width)
        for stride, own, finer, coarser in zip((1, 2, 4), DETAIL, inputs, outputs, strict=True):
            flops += 18 * (size / stride) ** 2 * own * (finer + own + coarser)
    return float(flops)


def _width(unit: Unit) -> int:
    card = unit.backbone
    own = decoder_width(card.width or DEFAULT_WIDTH, card.patch is not None)
    return int(unit.options.get("width") or own)
