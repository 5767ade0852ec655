"""omnibench: a benchmark and evaluation harness for vision backbones in radiology.

The names a plug-in needs are imported on first use, so that `import omnibench` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnibench.cards import BackboneCard, DatasetCard
    from omnibench.catalogue import (
        register_backbone,
        register_dataset,
        register_reader,
        register_task,
    )

__version__ = "0.1.0"
__all__ = [
    "BackboneCard",
    "DatasetCard",
    "register_backbone",
    "register_dataset",
    "register_reader",
    "register_task",
]


def __getattr__(name: str) -> Any:
    if name in ("BackboneCard", "DatasetCard"):
        from omnibench import cards

        return getattr(cards, name)
    if name in ("register_backbone", "register_dataset", "register_reader", "register_task"):
        from omnibench import catalogue

        return getattr(catalogue, name)
    raise AttributeError(f"module 'omnibench' has no attribute '{name}'")
