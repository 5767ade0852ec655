"""What segmentation refuses, a sentence each, for `plan` and for what computes. No torch."""

LARGEST_STRIDE = 32  # of the decoder


def untrained_class(name: str, limit: int | None) -> str:
    """Return the sentence that refuses a class that no training mask shows."""
    way_out = "add some" if limit is None else f"raise the recipe's limit of {limit}, or add some"
    return f"no training mask shows the class '{name}'; {way_out}"


def size_refusal(size: int) -> str:
    """Return the sentence that refuses an input size, or "" where the decoder's strides fit."""
    below = size // LARGEST_STRIDE * LARGEST_STRIDE
    if size == below:
        return ""
    fitting = f"{below} or {below + LARGEST_STRIDE}" if below else str(LARGEST_STRIDE)
    return (
        f"recipe.input_size {size} is not a multiple of {LARGEST_STRIDE}, the decoder's largest "
        f"stride; use {fitting}"
    )
