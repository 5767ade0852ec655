"""The set `medmnistc`: MedMNIST-C (Di Salvo et al. 2024, arXiv:2406.17536), by dataset."""

from omnibench.data.corruptions.kinds import Corruption, CorruptionSet
from omnibench.data.corruptions.noise import gaussian_noise

MEDMNISTC = CorruptionSet(
    general={"gaussian-noise": Corruption(gaussian_noise, (0.04, 0.08, 0.12, 0.18, 0.26))},
    citation="arXiv:2406.17536",
)
