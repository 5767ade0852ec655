"""What volumes refuses, a sentence each, for `plan` and for what computes. No torch."""

from collections.abc import Iterator, Mapping
from typing import Any

from omnibench.architecture.layers import may_begin_with_patches
from omnibench.architecture.lookup import named_architecture
from omnibench.cell import Unit
from omnibench.label_budget import WHOLE
from omnibench.tasks.classification.refusals import refusals as of_labels
from omnibench.training.plan import batch_refusal


def refusals(unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a unit of any adaptation, as `Task.refusals` says."""
    yield from of_labels(unit, facts)
    batch, studies = unit.recipe["batch"], unit.images.get("train")
    in_steps = "micro_batch" in unit.recipe  # probes cut their batches
    if in_steps and unit.labels == WHOLE and studies is not None and batch > studies:
        yield batch_refusal(batch, studies)


def of_multi_plane(unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield studies of one view."""
    if len(unit.dataset.views) < 2:
        yield "multi-plane joins several views, of which its studies have one; take 'attention'"


def of_anymc3d(unit: Unit, facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield masks that a loss on pixels lacks, and a backbone without patch tokens."""
    masks = facts.get("mask_classes") or unit.dataset.mask_classes
    if unit.options["auxiliary"] and not masks:
        yield "options.auxiliary needs masks, and the dataset has none; leave it at 0"
    architecture = named_architecture(unit.backbone)
    if architecture is not None and architecture.kind != "vit":
        yield (
            f"{unit.backbone.id} is no vision transformer, whose patch tokens `anymc3d` needs; "
            "leave it to other adaptations, such as lora"
        )
    elif not may_begin_with_patches(unit.backbone):
        yield (
            f"{unit.backbone.id} has no attention over tokens that one convolution makes of "
            "patches, which `anymc3d` needs; leave it to other adaptations, such as lora"
        )
