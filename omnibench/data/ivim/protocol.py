"""How signals are measured: b-values and noise. No numpy, so that registering stays light."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from omnibench.errors import RequestError

PARAMETERS = ("s0", "f", "ds", "df")


@dataclass(frozen=True)
class Protocol:
    """A measurement of each voxel at several b-values.

    Attributes:
        b_values: s/mm2; a value that stands there twice is measured twice.
        snr: of a signal of 1; the noise of both channels has a standard deviation of 1 / snr.

    Raises:
        RequestError: values that are no finite numbers from 0 on, none that is 0, fewer different
            ones than a voxel has parameters, or an SNR that is not above 0.
    """

    b_values: tuple[float, ...]
    snr: float

    def __post_init__(self) -> None:
        b_values = tuple(_number(value, "a b-value") for value in _listed(self.b_values))
        snr = _number(self.snr, "the SNR")
        if negative := [b for b in b_values if b < 0]:
            raise RequestError(
                f"a protocol of IVIM has the b-value {negative[0]:g}; b-values are 0 or more, in "
                "s/mm2"
            )
        if 0 not in b_values:
            raise RequestError(
                "a protocol of IVIM has no b-value of 0, by which S0 is known; add 0 to its "
                "b-values"
            )
        if (different := len(set(b_values))) < len(PARAMETERS):
            raise RequestError(
                f"a protocol of IVIM has {different} different b-values where a voxel has "
                f"{len(PARAMETERS)} parameters ({', '.join(PARAMETERS)}); give {len(PARAMETERS)} "
                "or more"
            )
        if snr <= 0:
            raise RequestError(f"a protocol of IVIM has an SNR of {snr:g}; give one above 0")
        object.__setattr__(self, "b_values", b_values)
        object.__setattr__(self, "snr", snr)

    @property
    def sigma(self) -> float:
        """The standard deviation of the noise in both channels."""
        return 1 / self.snr


def _listed(values: object) -> tuple[object, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise RequestError(
            f"the b-values of a protocol of IVIM are {values!r:.60}; give several numbers"
        )
    return tuple(values)


def _number(value: object, what: str) -> float:
    """Return a finite number.

    Raises:
        RequestError: it is none.
    """
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RequestError(f"{what} of a protocol of IVIM is {value!r:.60}; give a finite number")
    return number
