"""Voxels: what was measured of each, and its true parameters.

numpy is imported when voxels are made, so that registering a dataset stays light.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from omnibench.data.ivim.protocol import PARAMETERS, Protocol
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Voxels:
    """N true parameters, and of each the signals of several draws of the noise.

    Attributes:
        signals: float32 [N, draws, B], at the b-values of the protocol.
        parameters: float64 [N, 4]: S0, f, Ds and Df.
        protocol: how they were measured.

    Raises:
        DataError: shapes that do not fit each other, or a signal that is not finite or below 0.
    """

    signals: NDArray[np.float32]
    parameters: NDArray[np.float64]
    protocol: Protocol

    def __post_init__(self) -> None:
        import numpy as np

        count, b_values = len(self.parameters), self.protocol.b_values
        shapes = (self.signals.ndim, len(self.signals), self.signals.shape[-1:])
        expected = (3, count, (len(b_values),))
        if shapes != expected or self.parameters.shape[1:] != (len(PARAMETERS),):
            raise DataError(
                f"signals of shape {list(self.signals.shape)} and parameters of shape "
                f"{list(self.parameters.shape)} do not fit {len(b_values)} b-values; give [N, "
                f"draws, {len(b_values)}] and [N, {len(PARAMETERS)}]"
            )
        if not np.isfinite(self.parameters).all():
            raise DataError("a true parameter of voxels is not finite; leave its voxel out")
        wrong = np.argwhere(~(np.isfinite(self.signals) & (self.signals >= 0)))
        if len(wrong):
            voxel, draw, place = wrong[0].tolist()
            raise DataError(
                f"the signal of voxel {voxel}, draw {draw}, at b = {b_values[place]:g} is "
                f"{self.signals[voxel, draw, place]:g}; magnitudes are finite and 0 or more: leave "
                "the voxel out"
            )

    def __len__(self) -> int:
        return len(self.parameters)

    def take(self, indices: NDArray[np.int64]) -> Self:
        return replace(self, signals=self.signals[indices], parameters=self.parameters[indices])
