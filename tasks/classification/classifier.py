"""A backbone, what is attached to it, and a linear head."""

import torch
from torch import Tensor, nn

from omnibench.adapt.trainable import Trainable, blank_embedding
from omnibench.encoders import TrainableEncoder

HEAD_STD = 0.01


class Classifier(nn.Module):
    """Embedding, dropout, linear head.

    The dropout's mask is drawn by the caller, so that it does not depend on how a batch is cut.

    Attributes:
        width: D of the embedding.
    """

    def __init__(self, trainable: Trainable, head: nn.Linear, dropout: float) -> None:
        super().__init__()
        self.trainable = trainable
        self.backbone, self.on_embedding = trainable.module, trainable.on_embedding
        self.dropout, self.width = dropout, head.in_features
        self.head = nn.Sequential(head)
        trainable.on_head(self.head, lambda: self.head(torch.zeros(1, self.width)))

    @staticmethod
    def drawn_head(encoder: TrainableEncoder, classes: int, std: float = HEAD_STD) -> nn.Linear:
        """Return a linear layer on an encoder's embedding, drawn by torch's global generator."""
        encoder.module.requires_grad_(False)
        with torch.no_grad():
            width = int(blank_embedding(encoder).shape[1])
        head = nn.Linear(width, classes)
        nn.init.normal_(head.weight, std=std)
        nn.init.zeros_(head.bias)
        return head

    def forward(self, pixels: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the logits [B, C] of prepared pixels [B, 3, S, S]; `mask` [B, D] is dropout's."""
        return self.classify(self.trainable.embed(pixels), mask)

    def classify(self, embedding: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the logits [B, C] of embeddings [B, D]."""
        if mask is not None:
            embedding = embedding * mask / (1 - self.dropout)
        logits: Tensor = self.head(embedding)
        return logits

    def set_training(self) -> None:
        """Put what is trained into training mode and what is frozen into evaluation mode."""
        self.trainable.train()
        self.head.train()
