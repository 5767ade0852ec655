"""Image tokens in, words out: projection, patch merger and BART."""

import math
from typing import Any

import torch
from torch import Tensor, nn


class PatchMerger(nn.Module):
    """M learnt queries that each take a mean of the image's tokens (Renggli et al. 2022).

    softmax(Q Z^T / sqrt(D)) Z with Z the layer-normed tokens; `scale` "none" leaves the root out,
    as the study released it.
    """

    def __init__(self, width: int, tokens: int, scale: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.queries = nn.Parameter(torch.randn(tokens, width))
        self.factor = 1 / math.sqrt(width) if scale == "sqrt" else 1.0

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, T, D] to [B, M, D]."""
        normed = self.norm(tokens)
        shares = (self.factor * self.queries @ normed.transpose(1, 2)).softmax(dim=-1)
        merged: Tensor = shares @ normed
        return merged


class Captioner(nn.Module):
    """A BART whose encoder reads an image's merged tokens in place of words.

    Args:
        width: of the backbone's tokens.
        bart: BartForConditionalGeneration.
    """

    def __init__(self, width: int, visual_tokens: int, scale: str, bart: Any) -> None:
        super().__init__()
        self.bart = bart
        inner = bart.config.d_model
        self.project = nn.Linear(width, inner)
        nn.init.xavier_uniform_(self.project.weight)
        self.norm = nn.LayerNorm(inner)
        self.merger = PatchMerger(inner, visual_tokens, scale)

    def encode(self, tokens: Tensor) -> Any:
        """What BART's encoder makes of image tokens [B, T, D]: its output, states [B, M, inner]."""
        merged = self.merger(self.norm(self.project(tokens)))
        return self.bart.get_encoder()(inputs_embeds=merged)

    def forward(self, tokens: Tensor, words: Tensor) -> Tensor:
        """Logits [B, L, V] of the word that follows each of `words` [B, L]."""
        output = self.bart(encoder_outputs=self.encode(tokens), decoder_input_ids=words)
        logits: Tensor = output.logits
        return logits
