"""The frozen features of one unit: every split through the feature store, one encoder at most."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from omnibench import weights
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Split
from omnibench.data.checksums import sha256_of
from omnibench.encoders import Encoder
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import counted_flops, embeddings, micro_batch
from omnibench.errors import DataError
from omnibench.features import embedding_key


@dataclass(frozen=True)
class UnitFeatures:
    """Embeddings a split, float32 [N, D], and the facts of the encoder that made them."""

    arrays: Mapping[str, NDArray[np.float32]]
    facts: Mapping[str, Any]

    @property
    def width(self) -> int:
        """D."""
        return int(next(iter(self.arrays.values())).shape[1])

    def cost(self) -> dict[str, Any]:
        """What one whole feature pass takes, measured when it was made."""
        images = sum(len(array) for array in self.arrays.values())
        seconds = self.facts["seconds"]
        return {
            "images_per_s": images / seconds if seconds else None,
            "flops": self.facts["flops_per_image"] * images,
            "total_parameters": self.facts["parameters"],
        }

    def digests(self) -> dict[str, str]:
        """Hash of the tensors that were loaded."""
        return {"backbone": self.facts["digest"]}


def unit_features(unit: Unit, splits: Mapping[str, Split], context: Context) -> UnitFeatures:
    """Return the unit's embeddings; the encoder is built only where some are absent.

    Raises:
        DataError: two splits were made with different weights.
    """
    recipe = dict(unit.recipe)

    @functools.cache
    def encoder() -> tuple[Encoder, dict[str, Any]]:
        loaded = load_encoder(unit.backbone, recipe, context.device, context.data, context.results)
        images = torch.from_numpy(np.array(next(iter(splits.values())).images.read(0, 1)))
        with counted_flops() as counter, torch.no_grad():
            loaded.encoder.embed(images)
        facts = {
            **loaded.facts(),
            "digest": loaded.digest,
            "flops_per_image": counter.get_total_flops(),
            "micro_batch": micro_batch(context.device),
        }
        return loaded.encoder, facts

    # A hub file that no card pins may be replaced: its own hash decides which features are its.
    files = weights.locate(unit.backbone, context.data)
    loaded_file = {"file": sha256_of(files.weights, context.data)} if files else {}
    arrays: dict[str, NDArray[np.float32]] = {}
    facts: dict[str, Any] = {}
    seconds = 0.0
    for name, split in splits.items():
        key = embedding_key(unit, name, **loaded_file)
        arrays[name], told = embeddings(encoder, split.images, key, context)
        seconds += told["seconds"]
        if facts and told["digest"] != facts["digest"]:
            raise DataError(
                f"{unit.name}: the cached features of {name} come from other weights than the "
                "other splits'; run `bench.py cache prune` and the same command again"
            )
        facts = told
    return UnitFeatures(arrays, {**facts, "seconds": seconds})
