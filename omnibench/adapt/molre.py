"""MoLRE (arXiv:2603.00675): a mixture of low-rank experts with a soft router.

The paper's text was not at hand; docs/protocol.md says what is known of it, and what is ours.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from omnibench.adapt.experts import LowRankExperts
from omnibench.adapt.low_rank import check_rank
from omnibench.adapt.sites import targets
from omnibench.adapt.trainable import Trainable, blank_embedding
from omnibench.encoders import TrainableEncoder


def attach_to_embedding(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put experts on the embedding of a frozen backbone; the routing of each image is stored.

    Raises:
        RequestError: the rank is larger than the embedding.
    """
    width = blank_embedding(encoder).shape[1]
    site = _experts(nn.Identity(), width, width, "the embedding", options)

    def stored(embedding: Tensor) -> Mapping[str, Tensor]:
        routing = site.routing(embedding)
        return {} if routing is None else {"routing": routing}

    return Trainable(encoder, gradients=False, on_embedding=site, stored=stored)


def attach_to_blocks(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Put experts on every attention projection of every block, each token routed by itself.

    Source:
        after Zadouri et al. 2023 (arXiv:2309.05444), whose routers are one linear layer.

    Raises:
        RequestError: it has no attention, or a layer is smaller than the rank.
    """
    module = encoder.module
    for name, layer in targets(module, lambda: blank_embedding(encoder), "attention").items():
        parent, _, child = name.rpartition(".")
        out, width = layer.weight.shape
        experts = _experts(layer, width, out, f"the layer '{name}'", options)
        setattr(module.get_submodule(parent), child, experts.to(layer.weight.device))
    return Trainable(encoder)


def _experts(
    base: nn.Module, width: int, out: int, place: str, options: Mapping[str, Any]
) -> LowRankExperts:
    check_rank(options["r"], min(width, out), place)
    return LowRankExperts(
        base,
        width,
        out,
        options["r"],
        options["alpha"],
        options["experts"],
        options["router"],
        options["hidden"],
    )
