"""What fusions of slices cost, for `plan`. No torch."""

from omnibench.cell import Unit

WIDTH = 768  # of the slices' embeddings, where the card does not tell


def transformer_flops(unit: Unit) -> float:
    """Return the FLOPs of `transformer` for one slice: its projection, and layers on that."""
    width, layers = unit.options["width"], unit.options["layers"]
    tokens = unit.dataset.images_per_study or 1
    layer = 24 * width**2 + 4 * tokens * width  # products of weights, and of attention
    return float(2 * (unit.backbone.width or WIDTH) * width + layers * layer)


def cross_flops(unit: Unit) -> float:
    """Return the FLOPs of `multi-plane` for one slice: its projection, and its attention.

    Each view attends to the slices of all others, which are its keys and values.
    """
    width, others = unit.options["width"], max(1, len(unit.dataset.views) - 1)
    project = 2 * (unit.backbone.width or WIDTH) * width
    if unit.options["fusion"] == "late":
        return float(project)
    tokens = (unit.dataset.images_per_study or 1) * others / (others + 1)
    layer = 4 * (1 + others) * width**2 + 4 * tokens * width
    return float(project + unit.options["layers"] * layer)
