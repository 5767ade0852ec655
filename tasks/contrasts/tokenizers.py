"""Patches of a study's contrasts as tokens: what each contrast is projected by.

After the tokenizers for a variable number of contrasts of AdaViT (arXiv:2504.03589) and AMAE
(arXiv:2501.09096), whose formulas are not public; these here are ours. All begin as the backbone's
own patch embedding, with codes of zero.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

HIDDEN = 8  # of the network that changes the dynamic projection


class Tokenizer(nn.Module):
    """One projection of all contrasts, and a learned code that each contrast's tokens get.

    Args:
        embed: timm's patch embedding, which becomes a part of it.
        contrasts: K of the dataset.
    """

    def __init__(self, embed: Any, contrasts: int) -> None:
        super().__init__()
        self.embed = embed
        self.codes = nn.Parameter(torch.zeros(contrasts, len(embed.proj.weight)))

    def forward(self, images: Tensor, contrasts: Sequence[int]) -> Tensor:
        """Return the patches [B, T, ...] of images [B, T, 3, S, S], each as timm gives it.

        Args:
            contrasts: the T numbers of the images' contrasts.
        """
        rows = []
        for place, contrast in enumerate(contrasts):
            patches = self.project(images[:, place], self.kernel(contrast))
            rows.append(patches + self.codes[contrast])
        return torch.stack(rows, dim=1)

    def project(self, pixels: Tensor, kernel: Tensor) -> Tensor:
        """Return timm's patch embedding of pixels by a kernel [D, C, p, p]."""
        patches: Tensor = functional_call(self.embed, {"proj.weight": kernel}, (pixels,))
        return patches

    def kernel(self, contrast: int) -> Tensor:
        """Return the projection of a contrast, [D, 3, p, p]."""
        weight: Tensor = self.embed.proj.weight
        return weight


class PerContrast(Tokenizer):
    """A projection of each contrast's own, and a code."""

    def __init__(self, embed: Any, contrasts: int) -> None:
        super().__init__(embed, contrasts)
        self.kernels = nn.Parameter(embed.proj.weight.detach().repeat(contrasts, 1, 1, 1, 1))
        embed.proj.weight.requires_grad_(False)  # no longer used

    def kernel(self, contrast: int) -> Tensor:
        return self.kernels[contrast]


class Dynamic(Tokenizer):
    """A projection W0 + MLP(c), with the contrast c as a vector of zeros and a one; and a code."""

    def __init__(self, embed: Any, contrasts: int) -> None:
        super().__init__(embed, contrasts)
        last = nn.Linear(HIDDEN, embed.proj.weight.numel(), bias=False)
        nn.init.zeros_(last.weight)
        self.change = nn.Sequential(nn.Linear(contrasts, HIDDEN), nn.GELU(), last)

    def kernel(self, contrast: int) -> Tensor:
        weight: Tensor = self.embed.proj.weight
        one_hot = torch.zeros(len(self.codes), device=weight.device)
        one_hot[contrast] = 1
        kernel: Tensor = weight + self.change(one_hot).view_as(weight)
        return kernel


class ZeroFilled(Tokenizer):
    """One token a place, of all contrasts as channels; absent ones are filled with zeros.

    A zero adds nothing to a projection, so that of the contrasts there are is computed alone. It
    begins as the mean of the backbone's own over the K contrasts.
    """

    def __init__(self, embed: Any, contrasts: int) -> None:
        super().__init__(embed, contrasts)
        weight = embed.proj.weight.detach() / contrasts
        self.kernels = nn.Parameter(weight.repeat(contrasts, 1, 1, 1, 1))
        embed.proj.weight.requires_grad_(False)
        del self.codes  # a fixed input needs none

    def forward(self, images: Tensor, contrasts: Sequence[int]) -> Tensor:
        kernel = torch.cat([self.kernels[contrast] for contrast in contrasts], dim=1)
        return self.project(images.flatten(1, 2), kernel)[:, None]


TOKENIZERS: dict[str, type[Tokenizer]] = {
    "per-contrast": PerContrast,
    "shared": Tokenizer,
    "dynamic": Dynamic,
    "zero-filled": ZeroFilled,
}
