"""Random streams that need no state: every draw's seed follows from a cell's seed and its place."""

import torch

from omnibench.cell import digest_of


def stream(seed: int, *place: int | str) -> torch.Generator:
    """A CPU generator for one place of a run, such as (seed, "order", epoch)."""
    return torch.Generator().manual_seed(stream_seed(seed, *place))


def stream_seed(seed: int, *place: int | str) -> int:
    """A seed in 0..2**63-1 for one place of a run."""
    return int(digest_of([seed, *place])[:16], 16) >> 1
