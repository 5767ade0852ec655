"""Image formation: what CT, MR and radiography make of tissues, each with its own noise.

Every function takes a case, the side of the image in pixels and a random stream for its noise, and
returns float64 [size, size] with 0 black and 1 white (values beyond are clipped by the display).
"""

import math

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.canvas import Canvas, thickness
from omnibench.data.phantom.cases import Case, stream
from omnibench.data.phantom.fields import blur, smooth_field
from omnibench.data.phantom.grid import pixels
from omnibench.data.phantom.shapes import Array

# Hounsfield units, of the usual order; Bushberg et al., The Essential Physics of Medical Imaging.
HOUNSFIELD: dict[str, float] = {
    "air": -1000, "lung": -840, "fat": -100, "muscle": 50, "blood": 42, "csf": 8, "fluid": 6,
    "liver": 58, "spleen": 50, "kidney": 32, "grey": 38, "white": 27, "gut": 20, "wall": 40,
    "bone": 700, "marrow": 220, "table": -350, "calcium": 600,
}  # fmt: skip
ENHANCED: dict[str, float] = {
    "blood": 165, "liver": 112, "spleen": 125, "kidney": 175, "grey": 42, "wall": 60,
}  # fmt: skip
TUMOUR = {  # unenhanced, enhanced
    "lung": (30, 70), "liver": (24, 55), "kidney": (48, 85), "brain": (52, 75),
}  # fmt: skip
WINDOWS = {"lung": (-550, 1500), "liver": (50, 380), "kidney": (50, 400), "brain": (36, 95)}

# (proton density, T1, T2) in ms at 1.5 T: of the head from BrainWeb (Kwan et al. 1999), of the body
# from de Bazelaire et al. 2004, muscle from Stanisz et al. 2005; the rest, densities of the body
# included, are chosen to look right. Flowing blood gives no signal.
RELAXATION = {
    "grey": (0.86, 833, 83), "white": (0.77, 500, 70), "csf": (1.0, 2569, 329),
    "fat": (0.90, 343, 58), "liver": (0.75, 586, 46), "spleen": (0.80, 1057, 79),
    "kidney": (0.85, 966, 87), "marrow": (0.60, 549, 49), "muscle": (0.75, 1008, 44),
    "blood": (0.05, 1441, 290), "fluid": (1.0, 2569, 329), "gut": (0.85, 900, 90),
    "wall": (0.75, 900, 50), "tumour": (0.88, 1500, 170), "bone": (0.04, 900, 20),
    "calcium": (0.04, 900, 20),
}  # fmt: skip
WHITE = {"T1-weighted": 0.68, "T2-weighted": 0.55}  # the signal that is shown as 1
ECHO = {"T1-weighted": (500.0, 12.0), "T2-weighted": (4500.0, 80.0)}  # TR, TE in ms

# Attenuation per cm at about 60 keV (after Hubbell and Seltzer 1995): of soft tissue, and what
# others add where they displace it; "soft in lung" and vessels displace lung.
SOFT = 0.20
ADDED = {
    "lung": -0.145, "soft in lung": 0.145, "vessel": 0.145, "air": -0.19,
    "bone": 0.28, "tumour": 0.145, "wall": 0.145, "calcium": 0.55,
}  # fmt: skip


def texture(case: Case, size: int) -> Array:
    """Return the tissue texture of a case, the same at every size."""
    return smooth_field(stream(case.name, "texture"), size, 36)


def photons(rng: Generator, expected: Array) -> Array:
    """Return detected photon counts: Poisson, variance equal to the mean."""
    return rng.poisson(expected).astype(float)


def ct(case: Case, size: int, rng: Generator) -> Array:
    """Computed tomography: Hounsfield units, quantum noise, a clinical window."""
    enhanced = case.technique == "contrast-enhanced"
    values: dict[str, float] = HOUNSFIELD | (ENHANCED if enhanced else {})
    values["tumour"] = TUMOUR[case.view.organ][enhanced]
    canvas = Canvas(case, *pixels(size), 2 / size, texture(case, size))
    hounsfield = canvas.blend(values, roughness=9, start=-1000)
    grain = quantum_noise(hounsfield, case.view.width, case.noise, rng)
    usual_centre, usual_width = WINDOWS[case.view.organ]
    width = usual_width * (0.85 + 0.3 * case.gain)
    centre = usual_centre + 0.1 * width * (2 * case.level - 1)
    shown: Array = (hounsfield + grain - centre) / width + 0.5
    return shown


def quantum_noise(hounsfield: Array, width: float, noise: float, rng: Generator) -> Array:
    """Return the noise of CT slices [..., H, W] in Hounsfield units.

    The noise of filtered back-projection grows with the attenuation along the rays that cross a
    pixel; here these are its row and its column, and one photon count a pixel stands for them.

    Args:
        width: of a slice, in cm.
        noise: 0..1, from the highest dose to the lowest.
    """
    size = hounsfield.shape[-1]
    per_pixel = (0.02 / 1000) * (1000 + hounsfield) * (width / size)
    path = (per_pixel.sum(axis=-2, keepdims=True) + per_pixel.sum(axis=-1, keepdims=True)) / 2
    dose = 6e4 * 3 ** (1 - 2 * noise)
    expected = np.maximum(dose * np.exp(-path), 4)
    grain = (photons(rng, expected) - expected) / expected
    grain -= blur(grain, 1 / size)  # the ramp filter takes out slow variations
    hounsfield_units: Array = 240 * grain
    return hounsfield_units


def mr(case: Case, size: int, rng: Generator) -> Array:
    """Magnetic resonance: spin-echo contrast, the coil's bias field, Rician noise.

    The magnitude of a complex signal with Gaussian noise is Rician (Gudbjartsson and Patz 1995).
    """
    signal = spin_echo(case, size)
    bias = np.exp(0.13 * smooth_field(stream(case.name, "bias"), size, 3))
    gain = (0.8 + 0.4 * case.gain) / WHITE[case.technique]
    sigma = 0.012 * 3**case.noise
    return gain * rician(rng, signal * bias, sigma) + 0.04 * (2 * case.level - 1)


def spin_echo(case: Case, size: int) -> Array:
    """Return the signal without noise: S = PD (1 - exp(-TR / T1)) exp(-TE / T2)."""
    repetition, echo = ECHO[case.technique]
    values = {
        tissue: density * (1 - math.exp(-repetition / t1)) * math.exp(-echo / t2)
        for tissue, (density, t1, t2) in RELAXATION.items()
    }
    canvas = Canvas(case, *pixels(size), 2 / size, texture(case, size))
    return canvas.blend(values, roughness=0.018)


def rician(rng: Generator, signal: Array, sigma: float) -> Array:
    """Return |signal + complex Gaussian noise| with standard deviation sigma in each channel."""
    real, imaginary = sigma * rng.standard_normal((2, *signal.shape))
    magnitude: Array = np.sqrt((signal + real) ** 2 + imaginary**2)
    return magnitude


def radiograph(case: Case, size: int, rng: Generator) -> Array:
    """Projection radiography: Beer-Lambert, scatter, quantum noise, and the logarithm shown.

    Scatter comes from where photons are stopped and others still leave, path exp(-path), spread
    wide: a fifth of the primary behind the lungs, two thirds of it behind the heart.
    """
    path = np.zeros((size, size))
    for tissue, centimetres in thickness(case, size).items():
        path += ADDED.get(tissue, SOFT) * centimetres
    path = np.maximum(path + 0.02 * texture(case, size), 0)
    primary = np.exp(-path)
    exposure = primary + 0.13 * blur(path * primary, 0.08)
    dose = 2e4 * 6 ** (1 - 2 * case.noise)
    film = -np.log(photons(rng, dose * exposure) / dose + 1e-4)
    black, white = 1.3 + 0.3 * case.level, 4.6
    shown = np.clip((film - black) / (white - black), 0, 1)
    return shown ** (0.85 + 0.35 * case.gain)
