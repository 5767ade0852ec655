"""A backbone with a linear head: what `head`, `full` and `lora` train."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.encoders import Encoder, TrainableEncoder
from omnibench.training.lora import add_lora, train_lora

from .recipes import TrainedRecipe

HEAD_STD = 0.01


class Classifier(nn.Module):
    """Embedding, dropout, linear head.

    The dropout's mask is drawn by the caller, so that it does not depend on how a batch is cut.
    """

    def __init__(self, encoder: TrainableEncoder, adaptation: str, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        self.backbone = encoder.module
        self.adaptation = adaptation
        self.dropout = dropout
        self.head: nn.Module = nn.Identity()

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        adaptation: str,
        options: Mapping[str, Any],
        recipe: TrainedRecipe,
        classes: int,
    ) -> "Classifier":
        """Build the model of an adaptation; the head is drawn by torch's global generator."""
        assert isinstance(encoder, TrainableEncoder)
        model = cls(encoder, adaptation, recipe.dropout)
        model.backbone.requires_grad_(adaptation == "full")
        width = model.width()
        head = nn.Linear(width, classes)
        # Drawn before LoRA is, so that one repetition's head is the same in every adaptation.
        nn.init.normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
        model.head = nn.Sequential(head)
        if adaptation == "lora":
            lora = (options["r"], options["alpha"], options["dropout"])
            add_lora(model.backbone, model.blank_embedding, *lora)
            if options["head"] == "lora":
                add_lora(model.head, lambda: model.head(torch.zeros(1, width)), *lora)
        return model

    def width(self) -> int:
        """D, found by one forward pass."""
        with torch.no_grad():
            return int(self.blank_embedding().shape[1])

    def blank_embedding(self) -> Tensor:
        """Return the embedding [1, D] of a blank image."""
        prepare = self.encoder.preprocess
        pixels = torch.zeros(1, 3, prepare.size, prepare.size, device=prepare.device)
        return self.encoder.pooled(pixels.to(prepare.dtype))

    def forward(self, pixels: Tensor, keep: Tensor | None = None) -> Tensor:
        """Logits [B, C] of prepared pixels [B, 3, S, S]; `keep` [B, D] masks the embedding."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.adaptation != "head"):
            embedding = self.encoder.pooled(pixels)
        return self.classify(embedding.float(), keep)

    def classify(self, embedding: Tensor, keep: Tensor | None = None) -> Tensor:
        """Logits [B, C] of embeddings [B, D]."""
        if keep is not None:
            embedding = embedding * keep / (1 - self.dropout)
        logits: Tensor = self.head(embedding)
        return logits

    def set_training(self) -> None:
        """Training mode for what is trained, evaluation mode for what is frozen."""
        self.head.train()
        if self.adaptation == "full":
            self.backbone.train()
        elif self.adaptation == "lora":
            train_lora(self.backbone)
        else:
            self.backbone.eval()
