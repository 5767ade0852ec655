"""One step of DINOv2's loss, line after line, from the papers: no code of the project is in it.

DINO (Caron et al. 2021), iBOT (Zhou et al. 2022), Sinkhorn-Knopp (Cuturi 2013; Caron et al. 2020,
SwAV), KoLeo (Sablayrolles et al. 2019), stochastic depth (Huang et al. 2016), and what DINOv2
(Oquab et al. 2023) does with them. Loops over images stand where a batch would be quicker.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def vit(
    weights: dict[Any, Any],
    pixels: Any,
    masks: Any = None,
    kept: Any = None,
    scale: float = 1.0,
    patch: int = 8,
    heads: int = 3,
) -> tuple[Any, Any]:
    """Class tokens [B, D] and patch tokens [B, N, D] of a ViT's weights.

    Args:
        masks: bool [B, h, w]; kept: bool [depth, 2, B], the images that take part in a branch,
            whose share in it is multiplied by `scale`.
    """
    images = len(pixels)
    embedded = functional.conv2d(
        pixels,
        weights["vit.patch_embed.proj.weight"],
        weights["vit.patch_embed.proj.bias"],
        stride=patch,
    )
    grid = embedded.shape[-2:]
    patches = embedded.flatten(2).mT
    if masks is not None:
        hidden = masks.flatten(1)[..., None].to(patches.dtype)
        patches = patches * (1 - hidden) + weights["mask_token"] * hidden
    own, places = weights["vit.pos_embed"][:, :1], weights["vit.pos_embed"][:, 1:]
    side = math.isqrt(places.shape[1])
    if grid != (side, side):
        table = places.float().mT.reshape(1, -1, side, side)  # timm resamples in float32
        table = functional.interpolate(table, size=grid, mode="bicubic", antialias=True)
        places = table.flatten(2).mT.to(patches.dtype)
    classes = (weights["vit.cls_token"] + own).expand(images, -1, -1)
    x = torch.cat([classes, patches + places], dim=1)

    def norm(name: str, x: Any) -> Any:
        variance = x.var(dim=-1, correction=0, keepdim=True)
        x = (x - x.mean(dim=-1, keepdim=True)) / (variance + 1e-6).sqrt()
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(name: str, x: Any) -> Any:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    block = 0
    while f"vit.blocks.{block}.norm1.weight" in weights:
        name = f"vit.blocks.{block}"
        gates = (
            torch.ones(2, images, 1, 1) if kept is None else kept[block][..., None, None] * scale
        )
        asked = linear(f"{name}.attn.qkv", norm(f"{name}.norm1", x))
        query, key, value = asked.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        attended = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
        attended = linear(f"{name}.attn.proj", attended)
        x = x + gates[0] * attended * weights.get(f"{name}.ls1.gamma", 1.0)
        inner = functional.gelu(linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x)))
        inner = linear(f"{name}.mlp.fc2", inner)
        x = x + gates[1] * inner * weights.get(f"{name}.ls2.gamma", 1.0)
        block += 1
    x = norm("vit.norm", x)
    return x[:, 0], x[:, 1:]


def scores(weights: dict[Any, Any], tokens: Any) -> Any:
    """Cosines with the prototypes, times the prototypes' lengths: [R, K]."""
    layer = 0
    while f"mlp.{layer}.weight" in weights:
        if layer:
            tokens = functional.gelu(tokens)
        tokens = tokens @ weights[f"mlp.{layer}.weight"].T + weights[f"mlp.{layer}.bias"]
        layer += 2
    tokens = tokens / tokens.norm(dim=1, keepdim=True)
    directions = weights["directions"]
    return tokens @ (weights["lengths"] * directions / directions.norm(dim=1, keepdim=True)).T


def sinkhorn(logits: Any, temperature: Any) -> Tensor:
    """Sinkhorn-Knopp on Q, prototypes down and samples across, row by row, column by column."""
    q = np.exp(logits.detach().numpy().T.astype(np.float64) / temperature)
    prototypes, samples = q.shape
    q = q / q.sum()
    for _ in range(3):
        for row in range(prototypes):
            q[row] = q[row] / q[row].sum() / prototypes
        for column in range(samples):
            q[:, column] = q[:, column] / q[:, column].sum() / samples
    return torch.from_numpy(q.T * samples)


def answer(logits: Any, temperature: Any, centring: Any, centre: Any) -> Any:
    """The teacher's distributions, [R, K]."""
    if centring == "sinkhorn":
        return sinkhorn(logits, temperature)
    return ((logits - (centre if centring == "mean" else 0)) / temperature).softmax(dim=1)


def entropy(aim: Any, logits: Any, temperature: Any) -> Any:
    """Cross-entropy of one row of logits to one distribution."""
    return -(aim * (logits / temperature).log_softmax(dim=0)).sum()


def koleo(tokens: Any) -> Any:
    """-log of the distance to the nearest other one, on the sphere, averaged."""
    units = tokens / tokens.norm(dim=1, keepdim=True)
    total = 0.0
    for k, unit in enumerate(units):
        others = [(unit - other + 1e-8).norm() for m, other in enumerate(units) if m != k]
        total = total - (min(others) + 1e-8).log()
    return total / len(units)


def part(weights: Any, name: str) -> dict[Any, Any]:
    return {key.removeprefix(f"{name}."): w for key, w in weights.items() if key.startswith(name)}


def loss(
    student: Any, teacher: Any, crops: Any, recipe: Any, temperature: Any, centres: Any, groups: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weighted terms of a step, and the teacher's logits.

    Args:
        student, teacher: all weights by name; centres: of "dino" and "ibot".
        groups: places of the images among which KoLeo looks for neighbours, group by group.
    """
    images = recipe.batch
    masks = crops.masks.flatten(1)
    with torch.no_grad():
        seen, patches = vit(part(teacher, "backbone"), crops.whole)
        said = scores(part(teacher, "dino"), seen)
        hidden = [[crop, place] for crop in range(2 * images) for place in masks[crop].nonzero()]
        shown = torch.stack([patches[crop, int(place)] for crop, place in hidden])
        said_of_patches = scores(part(teacher, "ibot"), shown)
        aims = answer(said, temperature, recipe.centring, centres["dino"])
        patch_aims = answer(said_of_patches, temperature, recipe.centring, centres["ibot"])
    paths = (
        {} if crops.paths is None else {"kept": crops.paths.takes_part, "scale": crops.paths.scale}
    )
    backbone = part(student, "backbone")
    tokens, patches = vit(backbone, crops.whole, crops.masks, **paths)
    guesses = scores(part(student, "dino"), tokens)
    cold = recipe.student_temperature

    terms = 2 + 2 * recipe.local_crops
    if recipe.dino_scale == "dinov2" and not recipe.local_crops:
        terms = 3
    dino = 0.0
    for image in range(images):
        first, second = image, images + image
        dino = dino + entropy(aims[second], guesses[first], cold)
        dino = dino + entropy(aims[first], guesses[second], cold)
    if recipe.local_crops:
        paths = (
            {}
            if crops.local_paths is None
            else {"kept": crops.local_paths.takes_part, "scale": crops.local_paths.scale}
        )
        small, _ = vit(backbone, crops.local, **paths)
        for row, guess in enumerate(scores(part(student, "dino"), small)):
            image = row % images
            dino = dino + entropy(aims[image], guess, cold)
            dino = dino + entropy(aims[images + image], guess, cold)

    ibot = 0.0
    for (crop, place), aim in zip(hidden, patch_aims, strict=True):
        guess = scores(part(student, "ibot"), patches[crop, place])[0]
        ibot = ibot + entropy(aim, guess, cold) / masks[crop].sum()

    spread = 0.0
    for group in groups:
        for view in (0, images):
            spread = spread + len(group) / images * koleo(tokens[[view + k for k in group]])
    actual = {
        "dino": recipe.dino_weight * dino / (images * terms),
        "ibot": recipe.ibot_weight * ibot / (2 * images),
        "koleo": recipe.koleo_weight * spread,
    }
    return actual, {"dino": said, "ibot": said_of_patches}
