"""Datasets in memory or on disk: images and targets behind small reading interfaces. No torch."""

from omnibench.data.sized import ArrayImages, Images
from omnibench.data.split import Dataset, Split
from omnibench.data.targets import Labels, Maps, Masks, Target, Texts

__all__ = [
    "ArrayImages",
    "Dataset",
    "Images",
    "Labels",
    "Maps",
    "Masks",
    "Split",
    "Target",
    "Texts",
]
