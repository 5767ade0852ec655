"""Datasets in memory or on disk: images and targets behind small reading interfaces. No torch."""

from omnibench.data.images import ArrayImages, Images
from omnibench.data.reader import Reader, local_card
from omnibench.data.split import Dataset, Split
from omnibench.data.targets import Labels, Maps, Masks, Numbers, Target, Texts

__all__ = [
    "ArrayImages",
    "Dataset",
    "Images",
    "Labels",
    "Maps",
    "Masks",
    "Numbers",
    "Reader",
    "Split",
    "Target",
    "Texts",
    "local_card",
]
