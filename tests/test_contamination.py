from typing import Any

import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import datasets
from omnibench.contamination import origins_of, seen


def backbone(*pretraining: Any) -> BackboneCard:
    return BackboneCard(id="b", source="random:vit_tiny_patch16_224", pretraining=pretraining)


@pytest.mark.parametrize(
    ("pretraining", "dataset", "shared"),
    [
        (("busi",), "breastmnist", ("busi",)),  # BreastMNIST was made of BUSI
        (("busi-256",), "breastmnist-28", ("busi",)),  # by way of a dataset's own card
        (("breastmnist",), "busi", ("busi",)),
        (("breastmnist-28",), "breastmnist", ("busi",)),
        (("organamnist",), "organsmnist", ("lits",)),  # another view of the same scans
        (("pmc-15m",), "rocov2", ("pmc-oa",)),
        (("imagenet-1k", "radimagenet"), "breastmnist", ()),
        ((), "breastmnist", ()),
        (("phantom",), "phantom", ("phantom",)),
    ],
)
def test_names_that_pretraining_and_test_images_share(
    pretraining: tuple[Any, ...], dataset: str, shared: tuple[Any, ...]
) -> None:
    assert seen(backbone(*pretraining), datasets.get(dataset)) == shared


def test_a_pool_is_as_its_members() -> None:
    pool = DatasetCard(
        id="pool",
        reader="omnibench.data.pool:read",
        tasks=("pretraining",),
        members=(datasets.get("breastmnist"), datasets.get("phantom")),
    )
    assert origins_of(pool) == {"pool", "breastmnist", "busi", "phantom"}
