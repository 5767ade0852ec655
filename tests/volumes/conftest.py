"""Small studies whose lesion is bright on two slices, and blocks that run on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.catalogue import register_dataset, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Labels, Masks, Split
from omnibench.sources import Sources
from omnibench.suite import load
from omnibench.task import Outcome

SIDE, SLICES = 32, 5
COUNTS = {"train": 40, "val": 10, "test": 12}
VIEWS = ("axial", "sagittal")
Units = Callable[..., tuple[tuple[Unit, ...], Context]]
Ran = Callable[..., list[Outcome]]

# Id -> how many views its studies have; every fourth study of "tiny-views" lacks the second.
VOLUMES = {"tiny-volume": 1, "tiny-views": 2, "tiny-bare": 1}


def in_order(slices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order in which the slices [stacks, SLICES] are read."""
    return slices.flatten()


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits of a card; of "tiny-bare" without masks."""
    return Dataset(
        card,
        {name: split_of(card, seed, count) for seed, (name, count) in enumerate(COUNTS.items())},
    )


def split_of(card: DatasetCard, seed: int, count: int) -> Split:
    rng = np.random.default_rng(seed)
    views = VIEWS[: VOLUMES[card.id]]
    stacks = [
        (study, view)
        for study in range(count)
        for view in views
        if view == views[0] or study % 4 != 3
    ]
    labels = rng.permutation(np.array([0, 1] * (count // 2)))
    masks = np.zeros((len(stacks), SLICES, SIDE, SIDE), np.uint8)
    for stack, (study, _) in zip(masks, stacks, strict=True):
        place, corner = rng.integers(0, SLICES - 1), rng.integers(4, SIDE - 14)
        stack[place : place + 2, corner : corner + 10, corner : corner + 10] = labels[study]
    images = (rng.integers(0, 60, masks.shape) + 180 * masks).astype(np.uint8)
    names = np.repeat([f"s{study:02}" for study, _ in stacks], SLICES)
    order = in_order(np.arange(masks.shape[0] * SLICES).reshape(-1, SLICES))
    flat = masks.reshape(-1, SIDE, SIDE)[order]
    targets: dict[str, Any] = {"shown": Labels(np.asarray(flat.any(axis=(1, 2)), np.int64))}
    if card.mask_classes:
        targets["masks"] = Masks(ArrayImages(flat))
    return Split(
        ArrayImages(images.reshape(-1, SIDE, SIDE)[order]),
        targets,
        groups=np.array([f"p{int(name[1:]) // 2}" for name in names])[order],
        study=names[order],
        view=np.repeat([view for _, view in stacks], SLICES)[order] if len(views) > 1 else None,
        place=np.tile(np.arange(SLICES), len(stacks))[order],
        by_study={"labels": Labels(labels.astype(np.int64))},
    )


@pytest.fixture
def units(tmp_path: Path) -> Units:
    """Return the units of a block of `volumes` on a small backbone, and where they run."""
    torch.set_num_threads(1)
    for name in VOLUMES:
        register_dataset(
            DatasetCard(
                id=name,
                reader=f"{__name__}:read",
                tasks=("volumes",),
                labels="binary",
                classes=("none", "lesion"),
                mask_classes=() if name == "tiny-bare" else ("background", "lesion"),
                channels=1,
                resolution=SIDE,
                splits=COUNTS,
                images_per_study=SLICES,
                views=VIEWS if VOLUMES[name] > 1 else (),
            )
        )

    def units(
        adaptation: Any = "mean",
        dataset: str = "tiny-volume",
        place: str = "results",
        repetitions: int = 1,
        backbone: str = "random-vit-nano",
        **entry: Any,
    ) -> tuple[tuple[Unit, ...], Context]:
        recipe = {"input_size": 32, "precision": "fp32", "epochs": 2, **entry.pop("recipe", {})}
        block = {"task": "volumes", "datasets": [dataset], "adaptations": [adaptation], **entry}
        suite = {
            "name": "s",
            "repetitions": repetitions,
            "backbones": [backbone],
            "matrix": [{**block, "recipe": recipe}],
        }
        results, data = tmp_path / place, tmp_path / f"{place}-data"
        return load(suite, Sources(tmp_path, results)).units, Context(results, data)

    return units


@pytest.fixture
def ran(units: Units) -> Ran:
    """Return the outcomes of the one unit of a block."""

    def ran(*arguments: Any, **entry: Any) -> list[Outcome]:
        (unit,), context = units(*arguments, **entry)
        assert not unit.needs, unit.needs
        return list(tasks.get("volumes").run(unit, context))

    return ran
