"""A vision transformer over the patches of as many contrasts as a study has."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.errors import RequestError

from .refusals import no_plain_vit
from .tokenizers import TOKENIZERS


class ContrastViT(nn.Module):
    """A timm ViT whose sequence holds the patches of several contrasts of one place.

    Every patch gets the ViT's position and its contrast's code; contrasts that a study lacks are
    not in the sequence. Contrasts go in by their numbers, so that the order in which they are given
    changes no bit.

    Args:
        vit: a plain VisionTransformer at its input size.
        tokenizer: a name of `TOKENIZERS`.
        contrasts: K of the dataset.
    """

    def __init__(self, vit: Any, tokenizer: str, contrasts: int) -> None:
        super().__init__()
        self.vit = vit
        self.tokenize = TOKENIZERS[tokenizer](vit.patch_embed, contrasts)
        self.prefix = int(vit.num_prefix_tokens)

    def tokens(self, images: Tensor, contrasts: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return prefix tokens [B, P, D] and patches [B, T, N, D] before the first block.

        Args:
            images: prepared pixels [B, T, 3, S, S].
            contrasts: the T different numbers of their contrasts.
        """
        order = sorted(range(len(contrasts)), key=contrasts.__getitem__)
        patches = self.tokenize(images[:, order], [contrasts[place] for place in order])
        placed = self.vit._pos_embed(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])
        placed = self.vit.norm_pre(self.vit.patch_drop(placed))
        return placed[:, 0, : self.prefix], placed[:, :, self.prefix :]

    def maps(self, images: Tensor, contrasts: Sequence[int], layers: Sequence[int]) -> list[Tensor]:
        """Return the outputs of blocks as maps [B, D, h, w], the mean over the contrasts.

        Args:
            layers: the blocks, in rising order.
        """
        prefix, patches = self.tokens(images, contrasts)
        grid = self.vit.patch_embed.grid_size
        sequence = torch.cat([prefix, patches.flatten(1, 2)], dim=1)
        maps = []
        for index, block in enumerate(self.vit.blocks[: layers[-1] + 1]):
            sequence = block(sequence)
            if index in layers:
                places = sequence[:, self.prefix :].unflatten(1, patches.shape[1:3]).mean(dim=1)
                maps.append(places.transpose(1, 2).unflatten(2, grid))
        return maps


def check_plain(module: Any, card: BackboneCard) -> None:
    """Refuse a backbone whose blocks do not take one sequence of placed tokens.

    Raises:
        RequestError: saying which to take.
    """
    blocks = getattr(module, "blocks", None)
    standard = blocks is not None and all(type(block).__name__ == "Block" for block in blocks)
    embed = type(getattr(module, "patch_embed", None)).__name__
    if not standard or not hasattr(module, "_pos_embed") or embed != "PatchEmbed":
        raise RequestError(no_plain_vit(card))
