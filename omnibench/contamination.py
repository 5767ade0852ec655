"""Which test images a backbone may have seen: its pretraining data against a dataset's origins.

Names are compared, not images: an overlap says that both come from one collection, not that the
same images were seen; no overlap says only that the cards name none.
"""

from collections.abc import Iterable

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import datasets

# Collections that are no dataset here, and what they were drawn from.
DRAWN_FROM = {
    "pmc-15m": ("pmc-oa",),  # BiomedCLIP, Zhang et al. 2023, arXiv:2303.00915
    "rsna-pneumonia": ("nih-chestx-ray14",),  # Shih et al. 2019, doi:10.1148/ryai.2019180041
}


def origins_of(card: DatasetCard) -> frozenset[str]:
    """Return the collections that a dataset's images come from, its own name among them."""
    parts = (origins_of(member) for member in card.members)
    return frozenset(map(str.lower, (card.id, *card.origins))).union(*parts)


def seen(backbone: BackboneCard, dataset: DatasetCard) -> tuple[str, ...]:
    """Return what a backbone's pretraining data and a dataset have in common, in order of name."""
    return tuple(sorted(origins_of(dataset) & _pretraining(backbone.pretraining)))


def _pretraining(names: Iterable[str]) -> frozenset[str]:
    collections = set[str]()
    for name in map(str.lower, names):
        collections |= {name, *DRAWN_FROM.get(name, ())}
        if name in datasets:
            collections |= origins_of(datasets.get(name))
    return frozenset(collections)
