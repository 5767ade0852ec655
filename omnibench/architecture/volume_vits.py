"""What is known of the vision transformers of volumes, by name. No torch here."""

from collections.abc import Mapping
from typing import Any

from omnibench.architecture.facts import Architecture

# Built by omnibench.encoders.volume_vit; the arguments of each stand beside the name.
VOLUME_VIT = "vit3d"
VOLUME_VITS: Mapping[str, Mapping[str, Any]] = {
    VOLUME_VIT: {},
    "vit3d-tiny": {"width": 192, "depth": 12, "heads": 3, "patch": (8, 8, 8), "slices": 24},
    # As TANGERINE (arXiv:2507.01881) has it.
    "vit3d-large": {"width": 1024, "depth": 24, "heads": 16, "patch": (16, 16, 16), "slices": 256},
}


def volume_vit_facts(name: str, arguments: Mapping[str, Any] | None = None) -> Architecture:
    """Return the facts of a name of VOLUME_VITS; a field is None where nothing credible tells it.

    Args:
        arguments: further ones, or others, from a record that may be anyone's.
    """
    values = {**VOLUME_VITS[name], **(arguments or {})}
    patch = values.get("patch")
    sides = patch if isinstance(patch, list | tuple) else ()
    return Architecture(
        "other",
        width=_count(values.get("width")),
        patch=_count(sides[-1]) if sides else None,
        depth=_count(values.get("depth")),
        prefix_tokens=1,
        class_token=True,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        volumes=True,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
