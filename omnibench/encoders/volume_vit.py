"""A vision transformer of volumes: patches are boxes, and positions fixed sines and cosines.

Sources: the blocks of Dosovitskiy et al. 2021 as timm has them; the masked autoencoders of volumes
that TANGERINE (arXiv:2507.01881) and MONAI train.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn
from torch.nn import functional

from omnibench.encoders.positions import sine_cosine

CHANNELS = 3  # as every encoder is given; grey in all three
NORM: Any = functools.partial(nn.LayerNorm, eps=1e-6)


class BoxEmbed(nn.Module):
    """The embedding of boxes of voxels; its members are called as timm's PatchEmbed's."""

    def __init__(self, patch: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.patch_size = patch
        self.proj = nn.Conv3d(CHANNELS, width, patch, patch)

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [B, 3, Z, H, W] into [B, z, h, w, D]."""
        embedded: Tensor = self.proj(pixels)
        return embedded.permute(0, 2, 3, 4, 1)


class VolumeViT(nn.Module):
    """Blocks over a class token and boxes of a volume; members are called as timm's ViT's.

    Args:
        width, depth, heads: of the blocks.
        patch: slices, rows and columns of a box.
        slices: that volumes are brought to, a multiple of a box's.
        mlp_ratio: width of a block's hidden layer over its own.
    """

    num_prefix_tokens = 1

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        patch: Sequence[int],
        slices: int,
        mlp_ratio: float = 4,
    ) -> None:
        super().__init__()
        box = tuple(patch)
        if len(box) != 3 or slices % box[0]:
            raise ValueError(f"{slices} slices are no multiple of a box of {box}")
        self.embed_dim, self.slices = width, slices
        self.pretrained_cfg: dict[str, Any] = {}
        self.patch_embed = BoxEmbed((box[0], box[1], box[2]), width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.norm_pre = nn.Identity()
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_ratio, qkv_bias=True, norm_layer=NORM) for _ in range(depth)
        )
        self.norm = NORM(width)
        nn.init.normal_(self.cls_token, std=1e-6)  # as timm's
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def grid(self, size: int) -> tuple[int, int, int]:
        """Return the number of boxes on each axis of a volume of `size` pixels a side."""
        depth, height, width = self.patch_embed.patch_size
        return self.slices // depth, size // height, size // width

    def forward(self, pixels: Tensor) -> Tensor:
        """Return tokens [B, 1 + N, D] after the final norm, of [B, 3, Z, H, W]."""
        normed: Tensor = self.norm(self.last_block(pixels))
        return normed

    def last_block(self, pixels: Tensor) -> Tensor:
        """Return the same before the final norm."""
        even = at_depth(pixels, self.slices)
        tokens: Tensor = self.norm_pre(self._pos_embed(self.patch_embed(even)))
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def _pos_embed(self, patches: Tensor) -> Tensor:
        """Add positions to [B, z, h, w, D], and put the class token before: [B, 1 + N, D]."""
        grid = tuple(patches.shape[1:4])
        places = sine_cosine(grid, self.embed_dim).to(patches)
        tokens = patches.flatten(1, 3) + places
        return torch.cat([self.cls_token.to(tokens.dtype).expand(len(tokens), -1, -1), tokens], 1)


def at_depth(volumes: Tensor, slices: int) -> Tensor:
    """Resample float volumes [B, C, Z, H, W] to so many slices; linear, antialiased."""
    batch, channels, depth, height, width = volumes.shape
    if depth == slices:
        return volumes
    rows = functional.interpolate(
        # CPUs resample no half precision.
        volumes.reshape(batch, channels, depth, height * width).float(),
        size=(slices, height * width),
        mode="bilinear",
        antialias=True,
        align_corners=False,
    )
    return rows.reshape(batch, channels, slices, height, width).to(volumes.dtype)


def inflated(kernel: Tensor, depth: int) -> Tensor:
    """Return a kernel [D, C, h, w] repeated over `depth` slices and divided by it.

    Of equal slices it gives what the flat one gives of one of them (Carreira and Zisserman 2017).
    """
    return kernel[:, :, None].repeat(1, 1, depth, 1, 1) / depth


def inflate(vit: Any, slices: int) -> tuple[VolumeViT, dict[str, Any]]:
    """Return a VolumeViT with the weights of a timm ViT of standard blocks, and its arguments.

    Its boxes are as deep as the patches are wide, its positions are of three axes; the other
    weights are the same.

    Raises:
        ValueError: a box does not divide the slices, or the ViT has parts that a VolumeViT has not.
    """
    kernel = vit.patch_embed.proj.weight.detach()
    side = int(kernel.shape[-1])
    arguments = {
        "width": int(vit.embed_dim),
        "depth": len(vit.blocks),
        "heads": int(vit.blocks[0].attn.num_heads),
        "patch": [side, side, side],
        "slices": slices,
        "mlp_ratio": vit.blocks[0].mlp.fc1.out_features / int(vit.embed_dim),
    }
    volume_vit = VolumeViT(**arguments)
    state = {n: v for n, v in vit.state_dict().items() if n != "pos_embed"}
    state["patch_embed.proj.weight"] = inflated(kernel, side)
    try:
        volume_vit.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError("it has parts that a vision transformer of volumes has not") from error
    return volume_vit, arguments
