"""AlexNet's balanced errors on MedMNIST-C, by which its corruption errors are normalised.

From the package medmnistc 0.1.0 (Di Salvo et al. 2024, arXiv:2406.17536): 1 - balanced accuracy at
224 px, over the five severities of each corruption; rounded to six digits.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Errors(NamedTuple):
    """AlexNet's error on the clean test images, and its mean error under each corruption."""

    clean: float
    corrupted: Mapping[str, float]


ALEXNET: Mapping[str, Errors] = {
    "breastmnist": Errors(
        0.145363,
        {
            "pixelate": 0.461278,
            "jpeg-compression": 0.298622,
            "speckle-noise": 0.387093,
            "motion-blur": 0.259023,
            "brightness-up": 0.319799,
            "brightness-down": 0.211278,
            "contrast-down": 0.158647,
        },
    ),
    "chestmnist": Errors(
        0.283906,
        {
            "pixelate": 0.448951,
            "jpeg-compression": 0.345757,
            "gaussian-noise": 0.476883,
            "speckle-noise": 0.456879,
            "impulse-noise": 0.485536,
            "shot-noise": 0.492697,
            "gaussian-blur": 0.317680,
            "brightness-up": 0.299372,
            "brightness-down": 0.297115,
            "contrast-up": 0.287510,
            "contrast-down": 0.295474,
            "gamma-up": 0.287462,
            "gamma-down": 0.289164,
        },
    ),
    "pneumoniamnist": Errors(
        0.100855,
        {
            "pixelate": 0.221026,
            "jpeg-compression": 0.279829,
            "gaussian-noise": 0.441453,
            "speckle-noise": 0.345726,
            "impulse-noise": 0.458120,
            "shot-noise": 0.410684,
            "gaussian-blur": 0.273077,
            "brightness-up": 0.146496,
            "brightness-down": 0.278205,
            "contrast-up": 0.095299,
            "contrast-down": 0.237436,
            "gamma-up": 0.096068,
            "gamma-down": 0.166410,
        },
    ),
    "organamnist": Errors(
        0.050054,
        {
            "pixelate": 0.075897,
            "jpeg-compression": 0.102332,
            "gaussian-noise": 0.558868,
            "speckle-noise": 0.500898,
            "impulse-noise": 0.600512,
            "shot-noise": 0.570455,
            "gaussian-blur": 0.233407,
            "brightness-up": 0.147635,
            "brightness-down": 0.264645,
            "contrast-up": 0.109779,
            "contrast-down": 0.126842,
            "gamma-up": 0.103600,
            "gamma-down": 0.105771,
        },
    ),
    "organcmnist": Errors(
        0.075968,
        {
            "pixelate": 0.121613,
            "jpeg-compression": 0.107545,
            "gaussian-noise": 0.573654,
            "speckle-noise": 0.513096,
            "impulse-noise": 0.599778,
            "shot-noise": 0.549248,
            "gaussian-blur": 0.316896,
            "brightness-up": 0.160118,
            "brightness-down": 0.232427,
            "contrast-up": 0.099918,
            "contrast-down": 0.153274,
            "gamma-up": 0.142642,
            "gamma-down": 0.123909,
        },
    ),
    "organsmnist": Errors(
        0.243005,
        {
            "pixelate": 0.312594,
            "jpeg-compression": 0.269970,
            "gaussian-noise": 0.588912,
            "speckle-noise": 0.545010,
            "impulse-noise": 0.601011,
            "shot-noise": 0.551913,
            "gaussian-blur": 0.446665,
            "brightness-up": 0.359850,
            "brightness-down": 0.359287,
            "contrast-up": 0.287170,
            "contrast-down": 0.312824,
            "gamma-up": 0.302532,
            "gamma-down": 0.311602,
        },
    ),
}
