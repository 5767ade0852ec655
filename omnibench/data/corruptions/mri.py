"""The set `mri`: artefacts of magnetic resonance imaging, by the formulas of TorchIO 1.2.1.

TorchIO (Perez-Garcia et al. 2021, arXiv:2003.04696) draws an artefact's strength from a range; here
it is a severity's level, and what else it draws is drawn for a case and the same at every level.
Levels are omnibench's own. All channels of a colour image are spoilt alike.
"""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow

from omnibench.data.corruptions.kinds import Corruption, CorruptionSet
from omnibench.data.corruptions.planes import Planes, along_both, on_planes

Floats = NDArray[np.float64]

ORDER = 3  # of the bias field's polynomials
GHOSTS = 6
FIELD_OF_VIEW = 256  # mm: what a millimetre of motion is a share of


@on_planes
def bias_field(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Multiply by exp of a polynomial of the place, coefficients uniform on -level to level."""
    coefficients = level * numbers.uniform(-1, 1, (ORDER + 1, ORDER + 1))
    return planes * polynomial_bias(planes.shape[1:], coefficients)


def polynomial_bias(shape: tuple[int, ...], coefficients: Floats) -> Planes:
    """Return exp(sum of c_ij x^i y^j with i + j at most ORDER), x down and y across from -1 to 1.

    Args:
        shape: H, W.
        coefficients: [ORDER + 1, ORDER + 1]; those of higher orders are left out.
    """
    powers = np.arange(ORDER + 1)
    rows, columns = (
        (np.arange(side) - (side - 1) / 2)[:, None] / max((side - 1) / 2, 1) for side in shape
    )
    low = np.where(powers[:, None] + powers <= ORDER, coefficients, 0)
    logarithm: Floats = rows**powers @ low @ (columns**powers).T
    field: Planes = np.exp(logarithm.astype(np.float32))
    return field


@on_planes
def ghosting(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Weaken every sixth line of k-space by a share `level`, but the line of its centre."""
    return with_ghosts(planes, level, GHOSTS, axis=_phase_axis(numbers))


def with_ghosts(planes: Planes, level: float, ghosts: int, axis: int) -> Planes:
    """Return planes of which every `ghosts`-th line of k-space along an axis is x (1 - level).

    Counted from the line of the lowest frequency; the centre stays as it was.
    """
    weights = np.ones(planes.shape[axis])
    weights[::ghosts] = 1 - level
    weights[len(weights) // 2] = 1
    return _weighted([planes], [weights], axis)


@on_planes
def spike(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Add `level` times the largest value of k-space at one place of it."""
    return with_spike(planes, level, numbers.random(2))


def with_spike(planes: Planes, level: float, place: Floats) -> Planes:
    """Return planes and their spike: its strength is that of the centre of k-space times `level`.

    A spike of k-space is a wave in the image, and of an image without negative values the centre
    is the largest value: so no transform is needed.

    Args:
        place: [2], shares of k-space's height and width, its centre in the middle.
    """
    waves = []
    for side, share in zip(planes.shape[1:], place, strict=True):
        frequency = int(share * side) - side // 2
        waves.append(2 * math.pi * frequency * np.arange(side) / side)
    wave = np.cos(waves[0][:, None] + waves[1]).astype(np.float32)
    largest: Planes = planes.mean(axis=(1, 2), keepdims=True)
    spoilt: Planes = planes + np.float32(level) * largest * wave
    return spoilt


@on_planes
def motion(planes: Planes, level: tuple[float, float], numbers: Generator) -> Planes:
    """Take k-space in three parts, between which the patient moves.

    Each of the two moves turns by up to so many degrees and shifts by up to as many mm along either
    axis, of a field of view of 256 mm; the part in the middle is of the image as it was.

    Args:
        level: the largest move in degrees and mm, and the middle part's share of k-space: TorchIO
            draws it from .13 to .53. A larger move alone is soon no further from the image.
    """
    largest, share = level
    axis = _phase_axis(numbers)
    before, after = (_moved(planes, largest * move) for move in numbers.uniform(-1, 1, (2, 3)))
    place = (np.arange(planes.shape[axis]) + 0.5) / planes.shape[axis] - 0.5
    parts = [place < -share / 2, abs(place) <= share / 2, place > share / 2]
    return _weighted([before, planes, after], parts, axis)


def _moved(planes: Planes, move: Floats) -> Planes:
    """Return planes turned by move[0] degrees about the centre and shifted by move[1:] mm."""
    height, width = planes.shape[1:]
    angle = math.radians(move[0])
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = width / 2, height / 2
    right, down = move[1] * width / FIELD_OF_VIEW, move[2] * height / FIELD_OF_VIEW
    matrix = (
        *(cosine, sine, x - cosine * (x + right) - sine * (y + down)),
        *(-sine, cosine, y + sine * (x + right) - cosine * (y + down)),
    )
    return np.stack(
        [
            np.asarray(
                Pillow.fromarray(plane).transform(
                    (width, height),
                    Pillow.Transform.AFFINE,
                    matrix,
                    Pillow.Resampling.BILINEAR,
                    fillcolor=float(plane.min()),
                )
            )
            for plane in planes
        ]
    )


def _weighted(images: list[Planes], weights: list[NDArray[np.generic]], axis: int) -> Planes:
    """Return the real image of a k-space that is made of several images' lines along an axis.

    The lines' weights are the same across, so that one axis alone is transformed; and since the
    imaginary part is dropped, a line counts as the mean of itself and its mirror image.

    Args:
        images: planes [C, H, W].
        weights: of each image's lines, the lowest frequency first, its centre in the middle.
    """
    from scipy.fft import ifftshift, irfft, rfft

    side = images[0].shape[axis]
    total: NDArray[np.complex64] = np.zeros(1, np.complex64)
    for image, of_lines in zip(images, weights, strict=True):
        lines = ifftshift(of_lines).astype(np.float32)
        both = (lines + lines[-np.arange(side) % side]) / 2
        shape = [1, 1, 1]
        shape[axis] = side // 2 + 1
        total = total + rfft(image, axis=axis) * both[: side // 2 + 1].reshape(shape)
    result: Planes = irfft(total, side, axis=axis)
    return result


@on_planes
def downsampling(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Take lines `level` pixels apart, the nearest ones, and bring them back linearly."""
    axis = _phase_axis(numbers)
    maps = [np.eye(side, dtype=np.float32) for side in planes.shape[1:]]
    maps[axis - 1] = coarse_lines(planes.shape[axis], level)
    return along_both(planes, *maps)


def coarse_lines(side: int, factor: float) -> NDArray[np.float32]:
    """Return, as a matrix [side, side], what nearest lines `factor` apart and back make of a line.

    The coarse lines lie about the middle; beyond the outer ones the image is as they are.
    """
    count = max(int(side / factor), 1)
    centres = (side - 1) / 2 + (np.arange(count) - (count - 1) / 2) * factor
    nearest = np.floor(centres + 0.5).astype(int).clip(0, side - 1)
    values = np.eye(side)[nearest]
    lines = [np.interp(np.arange(side), centres, values[:, column]) for column in range(side)]
    return np.stack(lines, axis=1).astype(np.float32)


@on_planes
def noise(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Add normal noise of standard deviation `level`, white being 1."""
    field = numbers.standard_normal(planes.shape[1:], np.float32)
    return planes + np.float32(255 * level) * field


@on_planes
def contrast(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Raise values of [0, 1] to the power exp(level) or exp(-level)."""
    exponent = math.exp(level if numbers.random() < 0.5 else -level)
    return np.float32(255) * (planes / np.float32(255)) ** np.float32(exponent)


def _phase_axis(numbers: Generator) -> int:
    """Return the axis along which k-space is read line by line: 1, down, or 2, across."""
    return 1 + int(numbers.integers(2))


_MOTION = ((2, 0.53), (4, 0.43), (6, 0.33), (8, 0.23), (10, 0.13))
MRI = CorruptionSet(
    general={
        "bias-field": Corruption(bias_field, (0.2, 0.4, 0.6, 0.8, 1.0)),
        "ghosting": Corruption(ghosting, (0.2, 0.35, 0.5, 0.65, 0.8)),
        "spike": Corruption(spike, (0.2, 0.4, 0.6, 0.8, 1.0)),
        "motion": Corruption(motion, _MOTION, moves=True),
        "noise": Corruption(noise, (0.04, 0.08, 0.12, 0.18, 0.26)),
        "downsampling": Corruption(downsampling, (1.5, 2, 3, 4, 6)),
        "contrast": Corruption(contrast, (0.1, 0.2, 0.3, 0.4, 0.5)),
    },
    citation="arXiv:2003.04696",
)
