"""The frozen features of one unit: every split through the feature store, one encoder at most."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from omnibench import weights
from omnibench.cell import Unit, digest_of
from omnibench.context import FEATURES, Context
from omnibench.data import Split
from omnibench.encoders import Encoder
from omnibench.encoders.abilities import SLICES, require
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import counted_flops, forward_rows, micro_batch
from omnibench.errors import DataError
from omnibench.feature_rows import FeatureRows
from omnibench.features import FeatureStore, feature_key
from omnibench.placement import MAPS, TOKENS
from omnibench.task import Ability

# What a frozen encoder gives for uint8 images: [B, ...], and facts of it to remember.
Method = Callable[[Encoder, Tensor], Tensor]
Facts = Callable[[Encoder], Mapping[str, Any]]
Owner = tuple[Unit, str]  # a unit of the dataset that images are of, and the name of their split
# Kind of the feature key -> what it takes of the encoder.
ABILITIES: Mapping[str, Ability] = {
    "embed": "embed",
    MAPS: "maps",
    TOKENS: "tokens",
    "embed_volumes": "embed_volumes",
}


class FrozenPass:
    """A unit's forward passes; its encoder is built only where rows are absent.

    Args:
        kind: of the feature key.
        method: what is computed.
        facts: what else is remembered of the encoder.
        batch: of a micro-batch; None for the usual one of the device.
    """

    def __init__(
        self,
        unit: Unit,
        context: Context,
        kind: str,
        method: Method,
        facts: Facts = lambda encoder: {},
        batch: int | None = None,
    ) -> None:
        self.unit, self.context = unit, context
        self.kind, self.method, self.facts = kind, method, facts
        self.batch = batch or micro_batch(context.device)

    @functools.cached_property
    def encoder(self) -> tuple[Encoder, dict[str, Any]]:
        """The loaded encoder and its facts: digest, coverage, FLOPs an image."""
        context = self.context
        recipe = dict(self.unit.recipe)
        loaded = load_encoder(
            self.unit.backbone, recipe, context.device, context.data, context.results
        )
        ability, size = ABILITIES[self.kind], int(recipe["input_size"])
        with counted_flops() as counter:
            require(ability, loaded.encoder, self.unit.backbone, size)
        images = SLICES if ability == "embed_volumes" else 1
        return loaded.encoder, {
            **loaded.facts(),
            **self.facts(loaded.encoder),
            "digest": loaded.digest,
            "flops_per_image": counter.get_total_flops() // images,
            "micro_batch": self.batch,
        }

    def rows(self, name: str, split: Split, start: int, stop: int) -> NDArray[Any]:
        """Compute rows start..stop-1 of a split."""
        encoder, _ = self.encoder
        rows = forward_rows(
            split.images, start, stop, self.batch, lambda block: self.method(encoder, block)
        )
        self.context.progress(f"{FEATURES} {name}", stop, len(split))
        return rows

    def stored(self, name: str, split: Split, owner: Owner | None = None) -> FeatureRows:
        """A split's rows from the feature store, computed where they are absent.

        Args:
            owner: of a split of another dataset, what its features are called there.
        """
        unit, own_name = owner or (self.unit, name)
        return FeatureStore(self.context.features).get(
            feature_key(unit, own_name, self.kind, **self._loaded_file),
            len(split),
            lambda: self.encoder[1],
            lambda start, stop: self.rows(name, split, start, stop),
            self.batch,
            # What a builder builds is known for certain only once it is built.
            self.encoder[1]["digest"] if self.unit.backbone.source_kind == "module" else None,
        )

    @functools.cached_property
    def _loaded_file(self) -> dict[str, str]:
        return weights.file_source(self.unit.backbone, self.context.data)


@dataclass(frozen=True)
class PassFacts:
    """What a unit's passes over all splits took, and what they were made with."""

    facts: Mapping[str, Any]
    images: int

    @classmethod
    def from_facts(
        cls, unit: Unit, facts: Mapping[str, Mapping[str, Any]], images: int
    ) -> "PassFacts":
        """Of the facts of every split.

        Raises:
            DataError: two splits were made with different weights.
        """
        every = list(facts.values())
        for name, own in facts.items():
            if own["digest"] != every[0]["digest"]:
                raise DataError(
                    f"{unit.name}: the cached features of {name} come from other weights than the "
                    "other splits'; run `bench.py cache prune` and the same command again"
                )
        return cls({**every[0], "seconds": sum(own["seconds"] for own in every)}, images)

    @classmethod
    def from_members(cls, unit: Unit, members: Sequence["PassFacts"]) -> "PassFacts":
        """Of the passes of a fused backbone's members, whose facts stand below `members`."""
        sums = {
            name: sum(member.facts[name] for member in members)
            for name in ("seconds", "flops_per_image", "parameters")
        }
        digests = [member.facts["digest"] for member in members]
        facts = {
            card.id: dict(member.facts)
            for card, member in zip(unit.backbone.members, members, strict=True)
        }
        return cls({**sums, "digest": digest_of(digests), "members": facts}, members[0].images)

    def cost(self) -> dict[str, Any]:
        """What one whole feature pass takes, measured when it was made."""
        seconds = self.facts["seconds"]
        return {
            "images_per_s": self.images / seconds if seconds else None,
            "flops": self.facts["flops_per_image"] * self.images,
            "total_parameters": self.facts["parameters"],
        }

    def digests(self) -> dict[str, str]:
        """Hash of the tensors that were loaded."""
        return {"backbone": self.facts["digest"]}


@dataclass(frozen=True)
class UnitFeatures:
    """Embeddings a split, float32 [N, D], what made them, and of a fusion its members' widths."""

    arrays: Mapping[str, NDArray[np.float32]]
    made: PassFacts
    members: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """D."""
        return int(next(iter(self.arrays.values())).shape[1])


def unit_features(
    unit: Unit,
    splits: Mapping[str, Split],
    context: Context,
    owners: Mapping[str, Owner] | None = None,
) -> UnitFeatures:
    """Return the unit's embeddings.

    Args:
        owners: of the splits of other datasets, what their features are called there.

    Raises:
        DataError: two splits were made with different weights.
    """
    owners = owners or {}
    if unit.backbone.members:
        parts = [
            unit_features(
                member, splits, context, {n: (o.members[k], own) for n, (o, own) in owners.items()}
            )
            for k, member in enumerate(unit.members)
        ]
        arrays = {name: np.hstack([part.arrays[name] for part in parts]) for name in splits}
        made = PassFacts.from_members(unit, [part.made for part in parts])
        return UnitFeatures(arrays, made, tuple(part.width for part in parts))
    forward = FrozenPass(
        unit, context, "embed", lambda encoder, images: encoder.embed(images).float()
    )
    rows = {name: forward.stored(name, split, owners.get(name)) for name, split in splits.items()}
    made = PassFacts.from_facts(
        unit,
        {name: features.facts for name, features in rows.items()},
        sum(len(split) for split in splits.values()),
    )
    return UnitFeatures({name: features.array() for name, features in rows.items()}, made)
