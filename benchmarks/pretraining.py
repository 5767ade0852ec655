"""Measure a pretraining step of ViT-S/14 with 131072 prototypes: ours against plain PyTorch.

The plain way runs the same mathematics in fp32: every residual branch in full and masked, logits
and log-softmax as autograd keeps them, Sinkhorn-Knopp by rewriting its matrix, an unfused
optimiser.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import numpy as np
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import Measure, best_seconds, image_rates
from omnibench.device import default_threads
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from omnibench.encoders.timm_encoder import choose_attention
from omnibench.memory import keep_freed_memory
from omnibench.recipe import native_precision
from omnibench.tasks.pretraining.crops import Cropper, Crops
from omnibench.tasks.pretraining.distillation import Distillation, dino_terms
from omnibench.tasks.pretraining.network import MaskedViT
from omnibench.tasks.pretraining.recipes import OMNIRAD
from omnibench.tasks.pretraining.targets import Targets, sinkhorn_knopp
from omnibench.training.precision import autocast

NAME, PATCH, IMAGES = "vit_small_patch14_dinov2", 14, 8
TEMPERATURE = 0.07


def measure(device: str) -> Iterator[Measure]:
    """Yield the step, the share of heads and losses, Sinkhorn, and the price of local crops."""
    torch.set_num_threads(default_threads())
    keep_freed_memory()
    ours, plain = _Way(device, native_precision(device)), _Way(device, "fp32")
    rates = image_rates({"plain": plain.plain_step, "ours": ours.step}, IMAGES, 1, device, rounds=3)
    slow, fast = rates.values()
    yield Measure("pretraining", "step, plain fp32", slow, "images/s")
    yield Measure(
        "pretraining", "step, ours, against the plain one", fast, "images/s", fast / slow, ">= 1.8"
    )
    heads = best_seconds(ours.heads_step(), repeats=3) * fast / IMAGES
    yield Measure(
        "pretraining", "share of heads, losses and Sinkhorn in our step", heads, "", None, "<= 0.45"
    )
    yield from _sinkhorn(device)
    del plain
    local = _Way(device, native_precision(device), local_crops=8)
    rates = image_rates({"local": local.step, "ours": ours.step}, IMAGES, 1, device, rounds=2)
    dear, cheap = rates.values()
    yield Measure("pretraining", "step with 8 local crops too", dear, "images/s")
    yield Measure(
        "pretraining", "step of global crops only, against it", cheap, "images/s", cheap / dear
    )


def _sinkhorn(device: str) -> Iterator[Measure]:
    """Measure Sinkhorn-Knopp, ours and rewriting its matrix, on a step's masked patches."""
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(600, 131072, generator=generator) / 16).to(device)
    buffer = logits.clone()

    def ours() -> Targets:
        return sinkhorn_knopp(buffer.copy_(logits), TEMPERATURE)

    rows, expected = (
        ours().distributions(torch.arange(8, device=device)),
        rewriting_sinkhorn(logits)[:8],
    )
    if not torch.allclose(rows, expected, rtol=1e-4, atol=1e-9):
        raise ArithmeticError("the two forms of Sinkhorn-Knopp disagree")
    slow = best_seconds(lambda: rewriting_sinkhorn(logits), repeats=3)
    fast = best_seconds(ours, repeats=3)
    yield Measure("pretraining", "Sinkhorn-Knopp, rows and columns rewritten", slow, "s")
    yield Measure(
        "pretraining", "Sinkhorn-Knopp, two vectors, equal result", fast, "s", slow / fast, ">= 1.5"
    )


def rewriting_sinkhorn(logits: Tensor) -> Tensor:
    """Divide the matrix by its sums in turn, three times, as SwAV and DINOv2 do."""
    matrix = (logits / TEMPERATURE).exp().T
    matrix = matrix / matrix.sum()
    prototypes, rows = matrix.shape
    for _ in range(3):
        matrix = matrix / matrix.sum(dim=1, keepdim=True) / prototypes
        matrix = matrix / matrix.sum(dim=0, keepdim=True) / rows
    return (matrix * rows).T


class _Way:
    """A student and a teacher, and a step of each kind."""

    def __init__(self, device: str, precision: Any, local_crops: int = 0) -> None:
        self.recipe = OMNIRAD.model_copy(
            update={"batch": IMAGES, "precision": precision, "local_crops": local_crops}
        )
        self.device = device
        torch.manual_seed(0)
        vit = timm.create_model(NAME, num_classes=0, img_size=224, dynamic_img_size=True)
        if precision != "fp32":
            choose_attention(vit, torch.device(device))
        self.model = Distillation(vit, self.recipe).to(device)
        self.model.set_training()
        self.terms = dino_terms(self.recipe)
        fused = precision != "fp32"
        self.optimiser = torch.optim.AdamW(
            self.model.student.parameters(), lr=1e-4, fused=fused, foreach=False
        )
        preprocess = Preprocess(
            224, IMAGENET_MEAN, IMAGENET_STD, torch.device(device), torch.float32
        )
        cropper = Cropper(self.recipe, 0, PATCH, 12, preprocess)
        side = self.recipe.load_size
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side), np.uint8)
        self.crops = cropper.crops(images, 0, torch.arange(IMAGES), IMAGES)

    def step(self, index: int) -> None:
        """Run our step on crops made beforehand: teacher, student, optimiser, moving average."""
        self.optimiser.zero_grad(set_to_none=True)
        self._losses().backward()
        self._finish()

    def _losses(self) -> Tensor:
        answers = self.model.answers(self.crops, TEMPERATURE, self.device)
        with autocast(self.recipe.precision, self.device):
            parts = self.model.losses(self.crops, answers, torch.arange(IMAGES), IMAGES)
        total: Tensor = sum(parts.values(), torch.zeros((), device=self.device))
        return total

    def _finish(self) -> None:
        for part in self.model.student.children():
            nn.utils.clip_grad_norm_(part.parameters(), 3.0)
        self.optimiser.step()
        self.model.follow(0.994)

    def heads_step(self) -> Callable[[], None]:
        """Return what does a step without its backbones and its optimiser."""
        student, teacher = self.model.student, self.model.teacher
        with torch.no_grad(), autocast(self.recipe.precision, self.device):
            tokens = teacher.backbone(self.crops.whole)
        held = tuple(part.clone().requires_grad_() for part in tokens)

        def step() -> None:
            self.optimiser.zero_grad(set_to_none=True)
            with (
                patch.object(student.backbone, "forward", lambda *_: held),
                patch.object(teacher.backbone, "forward", lambda *_: tokens),
            ):
                self._losses().backward()

        return step

    def plain_step(self, index: int) -> None:
        """Run a step of the same mathematics without any of our means."""
        student, teacher, crops = self.model.student, self.model.teacher, self.crops
        masks = crops.masks.flatten(1)
        with torch.no_grad():
            tokens, patches = teacher.backbone(crops.whole)
            logits = teacher.dino(tokens) @ teacher.dino.prototypes().T
            swapped = torch.cat(list(rewriting_sinkhorn(logits).chunk(2))[::-1])
            logits = teacher.ibot(patches[masks]) @ teacher.ibot.prototypes().T
            masked = rewriting_sinkhorn(logits)
        tokens, patches = _in_full(student.backbone, crops)
        logits = student.dino(tokens) @ student.dino.prototypes().T
        dino = -(swapped * (logits / 0.1).log_softmax(dim=1)).sum() / (IMAGES * self.terms)
        logits = student.ibot(patches[masks]) @ student.ibot.prototypes().T
        share = (1 / masks.sum(dim=1).clamp_min(1))[:, None].expand_as(masks)[masks]
        ibot = -((masked * (logits / 0.1).log_softmax(dim=1)).sum(dim=1) * share).sum() / (
            2 * IMAGES
        )
        koleo = torch.zeros(())
        for view in tokens.chunk(2):
            units = functional.normalize(view, eps=1e-8)
            nearest = (units @ units.T).detach().fill_diagonal_(-1).argmax(dim=1)
            gaps = functional.pairwise_distance(units, units[nearest], eps=1e-8)
            koleo = koleo - (gaps + 1e-8).log().mean()
        self.optimiser.zero_grad(set_to_none=True)
        (dino + ibot + 0.1 * koleo).backward()
        self._finish()


def _in_full(backbone: MaskedViT, crops: Crops) -> tuple[Tensor, Tensor]:
    """Return the student's tokens with every branch computed, and dropped ones times 0."""
    vit, paths = backbone.vit, crops.paths
    assert paths is not None  # the recipe has stochastic depth
    patches = vit.patch_embed(crops.whole)
    tokens = vit._pos_embed(torch.where(crops.masks[..., None], backbone.mask_token, patches))
    for block, rows in zip(vit.blocks, paths.takes_part, strict=True):
        factors = (rows.float() * paths.scale)[..., None, None].to(tokens)
        tokens = tokens + factors[0] * block.ls1(block.attn(block.norm1(tokens)))
        tokens = tokens + factors[1] * block.ls2(block.mlp(block.norm2(tokens)))
    tokens = vit.norm(tokens)
    return tokens[:, 0], tokens[:, 1:]
