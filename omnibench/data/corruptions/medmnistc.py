"""The set `medmnistc`: MedMNIST-C (Di Salvo et al. 2024, arXiv:2406.17536) at 224 px.

Levels are those of the package medmnistc 0.1.0, for the radiology sets of MedMNIST that its paper
corrupts without microscopy's stains; any other dataset has `GENERAL`: those of chestmnist, and
motion blur as strong as breastmnist's. Where a list there has six levels the first five are used,
there as here.
"""

from collections.abc import Mapping

from omnibench.data.corruptions import filters, noise
from omnibench.data.corruptions.kinds import Apply, Corruption, CorruptionSet, Levels

_JPEG = (50, 30, 15, 10, 7)
_UP, _DOWN = (1.1, 1.2, 1.3, 1.4, 1.6), (0.9, 0.8, 0.7, 0.6, 0.4)
_BRIGHTER, _DARKER = (1.1, 1.2, 1.3, 1.4, 1.5), (0.9, 0.8, 0.7, 0.6, 0.5)
_FEW_PIXELS = (0.30, 0.25, 0.20, 0.15, 0.10)
_BLUR = (3, 5, 7, 9, 11)

_APPLY: Mapping[str, Apply] = {
    "pixelate": filters.pixelate,
    "jpeg-compression": filters.jpeg,
    "gaussian-noise": noise.gaussian_noise,
    "speckle-noise": noise.speckle_noise,
    "impulse-noise": noise.impulse_noise,
    "shot-noise": noise.shot_noise,
    "gaussian-blur": filters.gaussian_blur,
    "motion-blur": filters.motion_blur,
    "brightness-up": filters.brightness,
    "brightness-down": filters.brightness,
    "contrast-up": filters.contrast,
    "contrast-down": filters.contrast,
    "gamma-up": filters.gamma,
    "gamma-down": filters.gamma,
}

_CHEST: Mapping[str, Levels] = {
    "pixelate": _FEW_PIXELS,
    "jpeg-compression": _JPEG,
    "gaussian-noise": (0.04, 0.08, 0.12, 0.18, 0.26),
    "speckle-noise": (0.05, 0.15, 0.20, 0.35, 0.45),
    "impulse-noise": (0.01, 0.03, 0.06, 0.09, 0.17),
    "shot-noise": (60, 25, 18, 10, 5),
    "gaussian-blur": _BLUR,
    "brightness-up": _BRIGHTER,
    "brightness-down": _DARKER,
    "contrast-up": _UP,
    "contrast-down": _DOWN,
    "gamma-up": _UP,
    "gamma-down": _DOWN,
}
_BREAST: Mapping[str, Levels] = {
    "pixelate": _FEW_PIXELS,
    "jpeg-compression": _JPEG,
    "speckle-noise": (0.10, 0.15, 0.20, 0.25, 0.30),
    "motion-blur": ((5, 5), (9, 7), (9, 10), (13, 10), (17, 12)),
    "brightness-up": (1.4, 1.5, 1.6, 1.8, 2.0),
    "brightness-down": (0.55, 0.50, 0.45, 0.40, 0.30),
    "contrast-down": _DOWN,
}
_PNEUMONIA: Mapping[str, Levels] = {
    **_CHEST,
    "pixelate": (0.8, 0.7, 0.6, 0.5, 0.4),
    "gaussian-noise": (0.04, 0.05, 0.06, 0.07, 0.08),
    "speckle-noise": (0.05, 0.07, 0.10, 0.15, 0.20),
    "impulse-noise": (0.005, 0.01, 0.013, 0.017, 0.02),
    "shot-noise": (300, 200, 150, 100, 80),
}
_ORGAN: Mapping[str, Levels] = {
    "pixelate": (0.7, 0.6, 0.5, 0.40, 0.35),
    "jpeg-compression": _JPEG,
    "gaussian-noise": (0.04, 0.08, 0.12, 0.16, 0.20),
    "speckle-noise": (0.05, 0.10, 0.20, 0.30, 0.40),
    "impulse-noise": (0.01, 0.02, 0.03, 0.05, 0.08),
    "shot-noise": (200, 100, 50, 25, 15),
    "gaussian-blur": (11, 13, 15, 17, 21),
    "brightness-up": (1.2, 1.3, 1.4, 1.5, 1.6),
    "brightness-down": (0.80, 0.75, 0.70, 0.65, 0.60),
    "contrast-up": (1.3, 1.4, 1.6, 1.7, 1.8),
    "contrast-down": (0.80, 0.70, 0.60, 0.55, 0.50),
    "gamma-up": (1.3, 1.4, 1.6, 1.8, 2.0),
    "gamma-down": _DOWN,
}


def _corruptions(levels: Mapping[str, Levels]) -> Mapping[str, Corruption]:
    return {name: Corruption(_APPLY[name], by_severity) for name, by_severity in levels.items()}


MEDMNISTC = CorruptionSet(
    general=_corruptions({**_CHEST, "motion-blur": _BREAST["motion-blur"]}),
    own={
        "breastmnist": _corruptions(_BREAST),
        "chestmnist": _corruptions(_CHEST),
        "pneumoniamnist": _corruptions(_PNEUMONIA),
        **dict.fromkeys(("organamnist", "organcmnist", "organsmnist"), _corruptions(_ORGAN)),
    },
    citation="arXiv:2406.17536",
)
