"""What dense targets refuse, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Sequence

WINDOW = 11  # pixels of the window of SSIM


def size_refusal(size: Sequence[int], block: int | None) -> str:
    """Return the sentence that refuses maps of a size (H, W), or "" where all is measured."""
    height, width = size
    if min(size) < WINDOW:
        return (
            f"maps of {height} x {width} pixels are smaller than SSIM's window of {WINDOW}; give "
            "larger ones"
        )
    if block and (height % block or width % block):
        return (
            f"maps of {height} x {width} pixels do not part into blocks of {block}; crop them, or "
            "leave `block` out of the card's maps"
        )
    return ""
