"""Turn images a second of ViT-S/14 at 224 pixels into the rates that `plan` reckons with."""

import logging
from collections.abc import Mapping

from omnibench.calibration import Kind, remember
from omnibench.cards import BackboneCard
from omnibench.context import Context, default_data, default_results
from omnibench.device import default_threads
from omnibench.errors import StoreError
from omnibench.rates import forward_flops

ARCHITECTURE, SIZE = "vit_small_patch14_dinov2", 224
log = logging.getLogger("omnibench")


def card() -> BackboneCard:
    """Return the backbone that is measured, with the sizes from which its FLOPs follow."""
    return BackboneCard(
        id="speed", source=f"random:{ARCHITECTURE}", pool="cls",
        width=384, depth=12, patch=14, prefix_tokens=1,
    )  # fmt: skip


def keep_rates(device: str, kind: Kind, images_a_second: Mapping[str, float], passes: int) -> None:
    """Remember what this device reaches; log an error where the data folder cannot be written.

    Args:
        images_a_second: by precision.
        passes: forward passes' worth of work that each image was.
    """
    context = Context(default_results(), default_data(), device, default_threads())
    work = passes * forward_flops(card(), SIZE)
    try:
        remember(context, kind, {name: work * rate for name, rate in images_a_second.items()})
    except StoreError as error:
        log.error("the rates are not kept for `plan`: %s", error)
