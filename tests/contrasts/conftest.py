"""Small studies of up to three contrasts, and the network that sees them."""

from typing import Any

import numpy as np
import pytest
import timm
import torch

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Masks, Split

SIZE, CONTRASTS = 32, ("A", "B", "C")
HELD = {"train": ("ABC", "AB", "B", "AC", "AB", "C"), "val": ("ABC", "AB"), "test": ("CBA",) * 3}


def split_of(held: tuple[str, ...], seed: int) -> Split:
    """Return studies with a bright square each, in contrasts that show it more or less."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((len(held), SIZE, SIZE), np.uint8)
    images = []
    for mask, own in zip(masks, held, strict=True):
        top, left = rng.integers(2, 14, 2)
        mask[top : top + 14, left : left + 14] = 1
        for name in own:
            bright = mask.astype(np.float64) * {"A": 150, "B": 90, "C": -60}[name] + 90
            images.append(np.clip(bright + rng.normal(0, 10, mask.shape), 0, 255))
    return Split(
        ArrayImages(np.array(images).astype(np.uint8)),
        study=np.repeat([f"s{study}" for study in range(len(held))], [len(own) for own in held]),
        view=np.array([name for own in held for name in own]),
        by_study={"masks": Masks(ArrayImages(masks))},
    )


@pytest.fixture(scope="session")
def studies_dataset() -> Dataset:
    card = DatasetCard(
        id="squares",
        reader="tests:none",
        tasks=("contrasts",),
        mask_classes=("background", "square"),
        channels=1,
        resolution=SIZE,
        splits={name: len(held) for name, held in HELD.items()},
        images_per_study=2,
        views=CONTRASTS,
    )
    splits = {name: split_of(held, seed) for seed, (name, held) in enumerate(HELD.items())}
    return Dataset(card, splits)


@pytest.fixture
def vit() -> Any:
    """A ViT of three blocks, whose every tensor is drawn."""
    torch.manual_seed(0)
    made = timm.create_model("test_vit", img_size=SIZE, depth=3, num_classes=0).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made
