"""A masked autoencoder (He et al. 2022): the encoder sees some patches, a decoder restores all."""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from omnibench.encoders.positions import sine_cosine

from .mae_options import MaeOptions, visible_patches
from .patches import normalised, patchify, rows_at

MLP_RATIO = 4
NORM_EPSILON = 1e-6
NORM: Any = functools.partial(nn.LayerNorm, eps=NORM_EPSILON)


@dataclass(frozen=True)
class Restored:
    """What a masked autoencoder makes of B images.

    Attributes:
        predictions: [B, N, V], of every patch.
        masked: bool [B, N].
        features: [B, D], the mean of the visible patches' tokens after the final norm.
    """

    predictions: Tensor
    masked: Tensor
    features: Tensor


class MaskedAutoencoder(nn.Module):
    """An encoder of visible patches, and a decoder with a mask token in the place of the others.

    Patches do not overlap, so the convolution that embeds them is a linear map, and only visible
    ones are embedded: in two dimensions and in three it is the same code.

    Args:
        vit: a timm ViT of standard blocks, or a VolumeViT.
        grid: the number of patches on each axis.
    """

    decoder_places: Tensor

    def __init__(self, vit: Any, grid: tuple[int, ...], options: MaeOptions) -> None:
        super().__init__()
        self.vit, self.grid, self.options = vit, grid, options
        kernel = vit.patch_embed.proj.weight  # [D, C, *patch]
        self.patch = tuple(kernel.shape[2:])
        self.prefix = int(vit.num_prefix_tokens)
        width = options.decoder_width
        self.decoder_embed = nn.Linear(int(vit.embed_dim), width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_buffer("decoder_places", sine_cosine(grid, width), persistent=False)
        self.decoder_blocks = nn.ModuleList(
            Block(
                width,
                options.decoder_heads,
                MLP_RATIO,
                qkv_bias=True,
                norm_layer=NORM,
            )
            for _ in range(options.decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(width, eps=NORM_EPSILON)
        self.decoder_head = nn.Linear(width, kernel[0].numel())
        for part in (self.decoder_embed, *self.decoder_blocks.modules(), self.decoder_head):
            if isinstance(part, nn.Linear):
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)
        nn.init.normal_(self.mask_token, std=0.02)

    @property
    def patches(self) -> int:
        """Number of patches of an image."""
        return len(self.decoder_places)

    @property
    def visible(self) -> int:
        """Number of patches that the encoder sees."""
        return visible_patches(self.patches, self.options.mask)

    def forward(self, pixels: Tensor, noise: Tensor) -> Restored:
        """Restore images [B, C, *sides] of which the patches of most noise are hidden.

        Args:
            noise: [B, N], whose order decides; the encoder sees those of least.
        """
        order = noise.argsort(dim=1)
        seen = order[:, : self.visible]
        tokens = self._encoded(patchify(pixels, self.patch), seen)
        predictions = self._decoded(tokens, order)
        masked = torch.ones_like(noise, dtype=torch.bool).scatter(1, seen, False)
        return Restored(predictions, masked, tokens[:, self.prefix :].float().mean(dim=1))

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the mean of all patches' tokens after the final norm, [B, D]."""
        every = torch.arange(self.patches, device=pixels.device)
        patches = patchify(pixels, self.patch)
        tokens = self._encoded(patches, every.expand(len(pixels), -1))
        return tokens[:, self.prefix :].float().mean(dim=1)

    def target(self, pixels: Tensor, shown: Tensor) -> Tensor:
        """Return what is predicted of images, [B, N, V]: of a sigmoid, their values in 0..1.

        Args:
            pixels: [B, C, *sides] as the encoder sees them.
            shown: [B, 1 or C, *sides] of 0..255, from which these were made.
        """
        if self.options.head == "sigmoid":
            return patchify(shown.expand_as(pixels) / 255, self.patch)
        patches = patchify(pixels, self.patch)
        return normalised(patches) if self.options.norm_pixels else patches

    def _encoded(self, patches: Tensor, seen: Tensor) -> Tensor:
        """Return the tokens after the final norm, prefix first, of some patches of each image."""
        vit, proj = self.vit, self.vit.patch_embed.proj
        kernel = proj.weight.movedim(1, -1).flatten(1)
        embedded = functional.linear(rows_at(patches, seen), kernel, proj.bias)
        # Of blank patches: prefix tokens and positions, as the architecture adds them.
        blank = vit._pos_embed(embedded.new_zeros(1, *self.grid, embedded.shape[-1]))
        places = blank[:, self.prefix :].expand(len(patches), -1, -1)
        prefix = blank[:, : self.prefix].expand(len(patches), -1, -1)
        tokens = vit.norm_pre(torch.cat([prefix, embedded + rows_at(places, seen)], dim=1))
        for block in vit.blocks:
            tokens = block(tokens)
        normed: Tensor = vit.norm(tokens)
        return normed

    def _decoded(self, tokens: Tensor, order: Tensor) -> Tensor:
        """Return the predictions of all patches, in their own order."""
        embedded = self.decoder_embed(tokens)
        patches = embedded[:, self.prefix :]
        hidden = order.shape[1] - patches.shape[1]
        mask = self.mask_token.to(embedded.dtype).expand(len(tokens), hidden, -1)
        shuffled = torch.cat([patches, mask], dim=1)
        ordered = rows_at(shuffled, order.argsort(dim=1)) + self.decoder_places
        tokens = torch.cat([embedded[:, : self.prefix], ordered], dim=1)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        predictions: Tensor = self.decoder_head(self.decoder_norm(tokens[:, self.prefix :]))
        return predictions.sigmoid() if self.options.head == "sigmoid" else predictions
