"""Architecture facts: what is known of a backbone before torch is imported or weights are there."""

from omnibench.architecture.facts import Architecture, completed, contradiction
from omnibench.architecture.lookup import architecture_of
from omnibench.architecture.needs import needs_of_backbone

__all__ = ["Architecture", "architecture_of", "completed", "contradiction", "needs_of_backbone"]
