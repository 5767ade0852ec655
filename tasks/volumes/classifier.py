"""What is trained of a study: a backbone's part, a fusion of slices and a linear head."""

import torch
from torch import Tensor, nn

from omnibench.adapt.trainable import Trainable

from .bags import Slices
from .fusion import Fused, Fusion

HEAD_STD = 0.01


class StudyClassifier(nn.Module):
    """Slices' embeddings, their fusion, a linear head.

    Args:
        trainable: the backbone with what is attached to it; None where its frozen embeddings are
            fused as they are.
        width: D of the embedding.
    """

    def __init__(
        self, trainable: Trainable | None, fusion: Fusion, width: int, classes: int
    ) -> None:
        super().__init__()
        self.trainable, self.fusion, self.width = trainable, fusion, width
        head = nn.Linear(fusion.width, classes)
        nn.init.normal_(head.weight, std=HEAD_STD)
        nn.init.zeros_(head.bias)
        self.head = nn.Sequential(head)
        if trainable is not None:
            self.backbone, self.on_embedding = trainable.module, trainable.on_embedding
            trainable.on_head(self.head, lambda: self.head(torch.zeros(1, fusion.width)))

    def forward(self, slices: Slices) -> tuple[Tensor, Fused]:
        """Return logits [B, C] of slices as the backbone's frozen part embeds them."""
        fused = self.fusion(slices)
        logits: Tensor = self.head(fused.embedding)
        return logits, fused

    def set_training(self) -> None:
        """Put what is trained into training mode and what is frozen into evaluation mode."""
        self.fusion.train()
        self.head.train()
        if self.trainable is not None:
            self.trainable.train()
