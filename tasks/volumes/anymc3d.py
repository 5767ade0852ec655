"""`anymc3d`: LoRA of its own for each view, pooling over slices, and a loss on pixels if asked for.

Source: AnyMC3D (arXiv:2512.12887). Slices are embedded by a frozen vision transformer with LoRA on
its patch embedding and its attention projections, and pooled by attention; several views have
their own LoRA and query each, and are fused late. Recipes and the pixels' decoder are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from omnibench.adapt.low_rank import add_lora
from omnibench.adapt.trainable import Trainable, blank_embedding
from omnibench.data import Masks
from omnibench.data.masks import class_indexed
from omnibench.encoders import TrainableEncoder
from omnibench.training.flops import Flops, counted, trained_flops
from omnibench.training.job import Batch

from .auxiliary import TokenDecoder, embed_with_patches, pixel_loss
from .fusion import AttentionFusion, Fusion, StatisticFusion
from .trial import VolumeTrial


@dataclass
class OfViews(Trainable):
    """A backbone with LoRA of its own for each view.

    Attributes:
        layers: those with LoRA.
        views: the names of its adapters, one a view.
    """

    layers: Sequence[Any] = ()
    views: Sequence[str] = ()

    def show(self, view: int) -> None:
        """Let the LoRA of one view take part, the others' by nothing.

        They are scaled by zero, so that every step leaves each a gradient.
        """
        for layer in self.layers:
            for number, name in enumerate(self.views):
                layer.set_scale(name, float(number == view))


def attach(encoder: TrainableEncoder, options: Mapping[str, Any]) -> OfViews:
    """Put LoRA on a backbone, once for each view.

    Args:
        options: the adaptation's, and `views`, how many there are.

    Raises:
        RequestError: the rank is too large, or the backbone is no vision transformer.
    """
    module, views = encoder.module, [f"view{number}" for number in range(options["views"])]
    scale = options["r"], options["alpha"], 0.0
    add_lora(module, lambda: blank_embedding(encoder), *scale, "attention+patch", views)
    layers = [part for part in module.modules() if isinstance(part, BaseTunerLayer)]
    return OfViews(encoder, layers=layers, views=views)


def fusion(options: Mapping[str, Any], width: int, views: int) -> Fusion:
    """Return the pooling over slices and views that the options name."""
    pool = options["pool"]
    return AttentionFusion(width, views) if pool == "attention" else StatisticFusion(width, pool)


class AnyMC3DTrial(VolumeTrial):
    """The loss on labels and, with `auxiliary`, a decoder's on the masks of slices.

    The decoder is left out of every prediction.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if self.options["auxiliary"]:
            dataset = class_indexed(self.cases.dataset)
            self.masks = dataset.target("train", "masks", Masks).images
            classes = len(dataset.card.mask_classes) - 1
            self.decoder = TokenDecoder(self.model.width, classes).to(self.device)
            self.model.add_module("decoder", self.decoder)

    def embed(self, images: Tensor, view: int) -> Tensor:
        self._show(view)
        return super().embed(images, view)

    def heat(self, images: Tensor, view: int) -> Tensor | None:
        self._show(view)
        return super().heat(images, view)

    def _show(self, view: int) -> OfViews:
        assert isinstance(self.model.trainable, OfViews)
        self.model.trainable.show(view)
        return self.model.trainable

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over studies."""
        if not self.options["auxiliary"]:
            return super().loss(batch)
        studies, losses = self.subset.train[batch.rows.numpy()], list[Tensor]()
        layout = self.layouts["train"]
        sizes = layout.there[studies].sum(axis=2)  # [B, V]

        def embed(images: Tensor, view: int) -> Tensor:
            embedding, patches = embed_with_patches(self._show(view).encoder, images)
            stacks = patches.split(sizes[:, view].tolist())
            for study, own, stack in zip(studies, sizes, stacks, strict=True):
                if len(stack):
                    rows = layout.rows[study, view, : len(stack)]
                    masks = torch.from_numpy(np.ascontiguousarray(self.masks.read_rows(rows)))
                    loss = pixel_loss(self.decoder(stack), masks.to(stack.device))
                    losses.append(loss / int((own > 0).sum()))
            return embedding.float()

        label_loss = self.label_loss(self.embed_bags("train", studies, embed), batch)
        weight: float = self.options["auxiliary"] / len(batch.whole)
        return label_loss + weight * torch.stack(losses).sum()

    def flops(self) -> Flops:
        flops = super().flops()
        if not self.options["auxiliary"] or self.loaded is None:
            return flops
        size, layout = self.recipe.input_size, self.layouts["train"]
        blank = torch.zeros(1, size, size, dtype=torch.uint8)
        with torch.no_grad():
            patches = self.loaded.encoder.tokens(blank)[1]
        decoder = counted(self.model, lambda: self.decoder(patches))
        slices = layout.there.sum() / len(layout.rows)
        return flops._replace(image=flops.image + trained_flops(0, decoder * slices, True))
