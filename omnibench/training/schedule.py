"""The learning rate's course: linear warm-up, then a cosine, a line, steps, or no decay."""

import math

# Where `decay: step` takes the rate to a tenth, in shares of all epochs.
STEPS = (0.5, 0.75)


def factor(
    epoch: float,
    epochs: int,
    warmup: float,
    start: float,
    decay: str = "cosine",
    floor: float = 0.0,
) -> float:
    """Share of the full rate after `epoch` epochs (fractional where stepped per step).

    Linear from `start` to 1 over `warmup` epochs, then half a cosine down to `floor` at `epochs`;
    the closed form of torch's LinearLR followed by CosineAnnealingLR. With `decay` "linear" it is a
    line down to `floor`, with "none" it stays 1. With "step" it is .1 from half of all epochs on
    and .01 from three quarters, as torch's MultiStepLR has it.
    """
    if epoch < warmup:
        return start + (1 - start) * epoch / warmup
    if decay == "none":
        return 1.0
    if decay == "step":
        return 0.1 ** sum(epoch >= share * epochs for share in STEPS)
    done = (epoch - warmup) / (epochs - warmup)
    share = 1 - done if decay == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return floor + (1 - floor) * share
