import numpy as np

from omnibench.catalogue import datasets
from omnibench.data import Maps
from omnibench.data.maps import checked_maps
from omnibench.data.phantom.translate import read


def test_the_mr_of_a_ct_shows_the_same_body_and_repeats() -> None:
    card = datasets.get("phantom-translate").model_copy(update={"splits": {"train": 40}})
    dataset, again = read(card, None), read(card, None)  # type: ignore[arg-type]
    assert dataset.digests == again.digests
    facts = checked_maps(dataset)
    maps, valid = dataset.target("train", "maps", Maps).read_rows(np.arange(40))
    assert valid.all()
    assert facts.structure is not None
    bright = (maps > facts.structure).mean(axis=(1, 2))
    assert bright.min() > 0  # fluid in every body, and tumours
    assert bright.max() < 0.3
    images = dataset.splits["train"].images.read_rows(np.arange(40))
    outside = (images == 0).all(axis=0)
    assert maps[:, outside].mean() < 0.1
