"""A masked autoencoder over the patches of as many contrasts as a study has.

After AMAE (arXiv:2501.09096), a masked autoencoder for a variable set of MR contrasts, in two
dimensions; its mask ratio, widths and rates are not public, so that only the idea is its own.
"""

from collections.abc import Sequence
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from omnibench.tasks.contrasts.network import ContrastViT
from omnibench.tasks.segmentation.hybrid import positions

from .amae_options import AmaeOptions
from .mae_options import visible_patches
from .patches import normalised, patchify, reconstruction_losses, rows_at

STD = 0.02
MLP_RATIO = 4


class ContrastAutoencoder(nn.Module):
    """An encoder of visible patches of all contrasts together, and a decoder of the others.

    The decoder's tokens get the place's sines and cosines and a learned code of their contrast.
    What is restored are the pixels of each hidden patch less their mean, over their deviation.

    Args:
        vit: a plain timm ViT.
        contrasts: K of the dataset.
    """

    places: Tensor

    def __init__(self, vit: Any, contrasts: int, options: AmaeOptions) -> None:
        super().__init__()
        self.encoder = ContrastViT(vit, options.tokenizer, contrasts)
        self.patch, self.mask = int(vit.patch_embed.patch_size[0]), options.mask
        width, grid = options.decoder_width, vit.patch_embed.grid_size
        self.embed = nn.Linear(int(vit.embed_dim), width)
        self.mask_token = nn.Parameter(torch.empty(width))
        self.codes = nn.Parameter(torch.empty(contrasts, width))
        for parameter in (self.mask_token, self.codes):
            nn.init.normal_(parameter, std=STD)
        self.register_buffer("places", positions(width, *grid), persistent=False)
        self.blocks = nn.ModuleList(
            Block(width, options.decoder_heads, MLP_RATIO, qkv_bias=True)
            for _ in range(options.decoder_depth)
        )
        self.norm = nn.LayerNorm(width)
        self.restore = nn.Linear(width, self.patch**2)

    def forward(
        self, images: Tensor, contrasts: Sequence[int], noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of each study [B], and the mean visible token after the norm [B, D].

        Args:
            images: prepared pixels [B, T, 3, S, S].
            contrasts: the T numbers of their contrasts, in rising order.
            noise: [B, T * N]; the encoder sees the patches of least.
        """
        order = noise.argsort(dim=1)
        visible = visible_patches(noise.shape[1], self.mask)
        tokens = self._encoded(images, contrasts, order[:, :visible])
        predictions = self._decoded(tokens, contrasts, order)
        masked = torch.ones_like(noise, dtype=torch.bool).scatter(1, order[:, :visible], False)
        grey = images[:, :, :1].flatten(0, 1)
        patches = normalised(patchify(grey, (self.patch, self.patch)))
        targets = patches.unflatten(0, images.shape[:2]).flatten(1, 2)
        seen = tokens[:, self.encoder.prefix :]
        losses = reconstruction_losses(predictions, targets, masked)
        return losses, seen.float().mean(dim=1)

    def _encoded(self, images: Tensor, contrasts: Sequence[int], seen: Tensor) -> Tensor:
        """Return the tokens of the patches at `seen` [B, M] after the final norm, prefix first."""
        prefix, patches = self.encoder.tokens(images, contrasts)
        tokens = torch.cat([prefix, rows_at(patches.flatten(1, 2), seen)], dim=1)
        for block in self.encoder.vit.blocks:
            tokens = block(tokens)
        normed: Tensor = self.encoder.vit.norm(tokens)
        return normed

    def _decoded(self, tokens: Tensor, contrasts: Sequence[int], order: Tensor) -> Tensor:
        """Return the predictions [B, T * N, p * p] of all patches, in their own order."""
        embedded = self.embed(tokens)
        seen = embedded[:, self.encoder.prefix :]
        hidden = self.mask_token.to(seen).expand(len(seen), order.shape[1] - seen.shape[1], -1)
        ordered = rows_at(torch.cat([seen, hidden], dim=1), order.argsort(dim=1))
        placed = self.codes[list(contrasts)][:, None] + self.places
        tokens = torch.cat(
            [embedded[:, : self.encoder.prefix], ordered + placed.flatten(0, 1)], dim=1
        )
        for block in self.blocks:
            tokens = block(tokens)
        predictions: Tensor = self.restore(self.norm(tokens[:, self.encoder.prefix :]))
        return predictions
