"""The signal of a voxel: tissue water, and blood that moves in all directions (Le Bihan 1988).

S(b) = S0 (f exp(-b (Ds + Df)) + (1 - f) exp(-b Ds)); b in s/mm2, Ds and Df in 1e-3 mm2/s.
"""

import numpy as np
from numpy.typing import NDArray

from omnibench.data.ivim.protocol import PARAMETERS

Floats = NDArray[np.float64]

# Of S0, f, Ds and Df: where voxels are drawn, and what errors are measured in.
RANGES: NDArray[np.float64] = np.array([(0.8, 1.2), (0.1, 0.5), (0.4, 3.0), (10.0, 150.0)])
SCALES = np.array([1.0, 0.3, 1.7, 80.0])
assert len(RANGES) == len(SCALES) == len(PARAMETERS)


def signal(parameters: Floats, b_values: Floats) -> Floats:
    """Return the signals [..., B] of parameters [..., 4] at b-values [B], without noise."""
    s0, f, tissue, blood = _parts(parameters, b_values)
    return s0 * tissue * (f * blood + 1 - f)


def jacobian(parameters: Floats, b_values: Floats) -> Floats:
    """Return the derivatives [..., B, 4] of `signal` by S0, f, Ds and Df."""
    s0, f, tissue, blood = _parts(parameters, b_values)
    rate = b_values / 1000
    mixed = tissue * (f * blood + 1 - f)
    return np.stack(
        [
            mixed,
            s0 * tissue * (blood - 1),
            -rate * s0 * mixed,
            -rate * s0 * f * tissue * blood,
        ],
        axis=-1,
    )


def _parts(parameters: Floats, b_values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return S0 and f [..., 1], and the decays [..., B] by Ds and by Df."""
    s0, f, ds, df = (parameters[..., place, None] for place in range(len(PARAMETERS)))
    return s0, f, np.exp(-b_values * ds / 1000), np.exp(-b_values * df / 1000)
