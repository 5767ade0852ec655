"""Cells and units: the points of the matrix, their identity and their seeds."""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.label_budget import WHOLE, LabelBudget
from omnibench.views import LOW, External, Mix, View, share_name

# Of a cell's identity: raised when what it is made of changes. Records of format 1 are adopted.
FORMAT = 2

LEAVES = "@backbone"  # behind the name of an adaptation whose cells keep their trained backbone

# The purposes of which the pairing hash is made: what two paired runs must share.
PAIRED_PURPOSES = ("head", "order", "augmentation")


def digest_of(value: Any) -> str:
    """SHA-256 of canonical JSON (sorted keys, no spaces, no NaN) as 64 hex digits."""
    return _sha256(canonical(value))


def canonical(value: Any) -> str:
    """Return JSON with sorted keys and without spaces.

    Raises:
        ValueError: it holds NaN or infinity.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Unit:
    """All repetitions of one (task, dataset, backbone, adaptation, label budget).

    It is what is scheduled.

    Attributes:
        adaptation: its name.
        short: its form in paths and tables: with its options and, each behind an "@", what else
            the block of the matrix varies of it: "lora-r8-a16", "linear@10pct".
        options, recipe: every field resolved; a precision of `auto` stays so.
        sources: the source digests of dataset and backbone.
        axes: the fields of the recipe that its block varies.
        deciding: the task's version, the recipe's name, and those options, recipe fields and
            decodings that differ from their defaults: what the identity holds of them. None for
            all options, recipe fields and decodings.
        repetitions: which ones are asked for.
        needs: what is absent here, each with where to get it; a unit with needs is blocked.
        after: units whose records it needs, such as the pretraining of its backbone.
        labels: its label budget, "10%" or "4/class": which of the training images it may use.
        views: what else it is tested on than the test images of its dataset.
        further_views: views of the test images that its adaptation has by its options.
        keeps_weights: whether its records keep what was trained; no part of the identity, since
            the numbers are the same.
        leaves_backbone: whether its cells keep the weights of their trained backbone for others;
            its `short` ends in LEAVES then.
        mix: which share of its images is of low quality; None where nothing is said of quality.
    """

    task: str
    dataset: DatasetCard
    backbone: BackboneCard
    adaptation: str
    short: str
    options: Mapping[str, Any]
    recipe: Mapping[str, Any]
    suite_seed: int
    sources: Mapping[str, str]
    repetitions: tuple[int, ...]
    decodings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    after: "tuple[Unit, ...]" = ()
    axes: tuple[str, ...] = ()
    deciding: Mapping[str, Any] | None = None
    labels: str = WHOLE
    views: tuple[View, ...] = ()
    mix: Mix | None = None
    leaves_backbone: bool = False
    further_views: tuple[str, ...] = ()
    keeps_weights: bool = False

    @functools.cached_property
    def name(self) -> str:
        """task/dataset/backbone/adaptation, as in the record's path."""
        return f"{self.task}/{self.dataset.id}/{self.backbone.id}/{self.short}"

    @functools.cached_property
    def images(self) -> Mapping[str, int]:
        """How many images of each split the recipe's limit leaves; {} where no card tells it."""
        limit = self.recipe.get("limit")
        return {split: min(count, limit or count) for split, count in self.dataset.splits.items()}

    @functools.cached_property
    def labelled(self) -> int | None:
        """About how many training images the label budget leaves; None where no card tells it.

        Exact where images have no classes; else rounding, patients and rare classes add some.
        """
        images = self.images.get("train")
        if images is None:
            return None
        budget = LabelBudget.from_text(self.labels)
        if budget.shots is None:
            return budget.of(images)
        return min(images, budget.shots * max(1, len(self.dataset.classes)))

    @property
    def view_names(self) -> tuple[str, ...]:
        """Return what stands behind an "@" in its metrics: decodings, views, a mix's shares."""
        shares = () if self.mix is None else self.mix.test
        lows = (f"{LOW}-q{share_name(share)}" for share in shares)
        tested = (view.name for view in self.views)
        return (*self.decodings, *tested, *self.further_views, *lows)

    def on(self, view: External) -> "Unit":
        """Return a unit of the dataset of a view, whose images have the same features there."""
        sources = {**self.sources, "dataset": self.sources[view.source]}
        return replace(self, dataset=view.dataset, sources=sources)

    @property
    def members(self) -> "tuple[Unit, ...]":
        """Return units of the backbones whose frozen features it takes: a fused one's, or itself.

        A member's features are those that it has outside of the fused backbone.
        """
        if not self.backbone.members:
            return (self,)
        digests = json.loads(self.sources["backbone"].removeprefix(f"{self.backbone.source} "))
        return tuple(
            replace(self, backbone=card, sources={**self.sources, "backbone": digest})
            for card, digest in zip(self.backbone.members, digests, strict=True)
        )

    def seed(self, purpose: str, repetition: int) -> int:
        """A seed in 0..2**63-1 of neither the backbone nor what a block varies: so they pair."""
        adaptation = self.short.partition("@")[0]
        parts = (self.suite_seed, self.dataset.id, self.task, adaptation, repetition, purpose)
        return int(digest_of(list(parts))[:16], 16) >> 1

    def subset_seed(self, repetition: int, purpose: str = "subset") -> int:
        """A seed of the images that a label budget leaves: of no backbone, adaptation or budget."""
        parts = [self.suite_seed, self.dataset.id, self.task, repetition, purpose]
        return int(digest_of(parts)[:16], 16) >> 1

    def pairing(self, repetition: int, subset: str | None = None) -> str:
        """Hash of what a cell shares with those that differ in the backbone alone.

        Args:
            subset: hash of the training images that a label budget left; None for all of them.
        """
        seeds: list[int | str] = [self.seed(purpose, repetition) for purpose in PAIRED_PURPOSES]
        return digest_of(seeds if subset is None else [*seeds, subset])[:16]

    def at_precision(self, precision: str) -> "Unit":
        """Return the same unit, its cells' digests too, with `auto` written out."""
        if self.recipe.get("precision") != "auto":
            return self
        recipe = {**self.recipe, "precision": precision}
        return replace(self, recipe=recipe, deciding=self._deciding)

    @property
    def _deciding(self) -> Mapping[str, Any]:
        if self.deciding is not None:
            return self.deciding
        return {
            "options": dict(self.options),
            "recipe": dict(self.recipe),
            "decodings": list(self.decodings),
        }

    @property
    def _beyond(self) -> dict[str, Any]:
        """Return what a block asks for beyond all labels and the test images as they are.

        Where it asks for nothing, records and digests are as they were before there was any.
        """
        beyond: dict[str, Any] = {} if self.labels == WHOLE else {"labels": self.labels}
        if self.views:
            beyond["test_on"] = [view.as_dict() for view in self.views]
        if self.mix is not None:
            beyond["mix"] = self.mix.as_dict()
        if self.leaves_backbone:
            beyond["leaves"] = "backbone"
        return beyond

    def spec(self, repetition: int) -> dict[str, Any]:
        """Return everything that was asked for, resolved, as plain strings and numbers."""
        return {
            **self._beyond,
            "task": self.task,
            "dataset": self.dataset.id,
            "backbone": self.backbone.id,
            "adaptation": self.adaptation,
            "short": self.short,
            # In the identity a path has lost the folders of this machine.
            "options": {**self.options, **self._deciding["options"]},
            "recipe": dict(self.recipe),
            "decodings": list(self.decodings),
            "seed": self.suite_seed,
            "repetition": repetition,
        }

    def identity(self, repetition: int) -> dict[str, Any]:
        """Return what decides a cell's numbers, and nothing of the machine: its digest's input."""
        return {
            **self._beyond,
            "format": FORMAT,
            "task": self.task,
            "dataset": self.dataset.id,
            "backbone": self.backbone.id,
            "adaptation": self.adaptation,
            "deciding": dict(self._deciding),
            "sources": dict(self.sources),
            "seed": self.suite_seed,
            "repetition": repetition,
        }

    @functools.cached_property
    def cells(self) -> tuple["Cell", ...]:
        """One cell a repetition, in order."""
        # What the repetitions share is written once; it is most of what a digest costs. Keys are
        # sorted, so the repetition stands between those before and those behind it.
        identity = self.identity(0)
        before = canonical({k: v for k, v in identity.items() if k < "repetition"})[:-1]
        behind = canonical({k: v for k, v in identity.items() if k > "repetition"})[1:]
        return tuple(
            Cell(self, repetition, _sha256(f'{before},"repetition":{repetition},{behind}'))
            for repetition in self.repetitions
        )


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix, as `Unit.cells` makes them.

    Attributes:
        digest: `digest_of` its identity.
    """

    unit: Unit
    repetition: int
    digest: str
