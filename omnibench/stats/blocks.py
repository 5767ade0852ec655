"""Blocks of patients, for a jackknife of what has no closed form; the same for every model."""

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import Floats

BLOCKS = 20


def block_of(cluster: NDArray[np.intp], picked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the block of each case's patient, of at most 20: [N]; -1 where it is not picked.

    Args:
        cluster: [N] index of each case's patient.
        picked: [N] the cases that count.

    Source:
        Delete-a-group jackknife: Shao & Tu 1995, The jackknife and bootstrap, section 2.3.
    """
    people = np.unique(cluster[picked])
    blocks = min(BLOCKS, len(people))
    place = np.full(int(cluster.max()) + 1, -1)
    place[people] = np.random.default_rng(0).permutation(len(people)) % blocks
    return np.where(picked, place[cluster], -1)


def moved_by_blocks(changes: Floats) -> Floats:
    """Return the rows of an influence [..., B] from the changes when each block is left out."""
    blocks = changes.shape[-1]
    rows: Floats = (changes - changes.mean(axis=-1, keepdims=True)) * ((blocks - 1) / blocks)
    return rows
