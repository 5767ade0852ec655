"""`phantom-translate`: a body as CT shows it, and as T2-weighted MR without noise would."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import ArrayImages, Dataset, Maps, Split
from omnibench.data.phantom.cases import Case, case
from omnibench.data.phantom.modality import WHITE, spin_echo
from omnibench.data.phantom.reader import draw
from omnibench.data.phantom.views import VIEWS, Setting

# Of the CTs those of what MR shows too: liver, kidneys, brain.
BOTH = Setting({"CT": VIEWS["CT"][1:]})
WEIGHTED = "T2-weighted"


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw the splits that the card names, at its resolution; its patients are none of `phantom`'s.

    The MR has neither noise nor a coil's field, of which the CT tells nothing. Fluid and tumours
    are brighter in it than all else.
    """
    size = card.resolution or 64
    splits, digests = {}, {}
    for name, count in card.splits.items():
        cases = [case(f"translate-{name}", index, BOTH) for index in range(count)]
        images = np.stack([draw(shown, size) for shown in cases])
        maps = np.stack([signal(shown, size) for shown in cases])
        splits[name] = Split(
            ArrayImages(images),
            {"maps": Maps(ArrayImages(maps))},
            groups=np.array([shown.patient for shown in cases]),
        )
        for kind, array in (("images", images), ("maps", maps)):
            digests[f"{name}_{kind}"] = f"sha256:{hashlib.sha256(array.data).hexdigest()}"
    return Dataset(card, splits, digests)


def signal(shown: Case, size: int) -> NDArray[np.float32]:
    """Return the MR of a case, float32 [size, size], 0 black and 1 white."""
    weighted = replace(shown, technique=WEIGHTED)
    return np.clip(spin_echo(weighted, size) / WHITE[WEIGHTED], 0, 1).astype(np.float32)
