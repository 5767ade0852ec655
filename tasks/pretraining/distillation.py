"""Self-distillation without labels: student, teacher, and the loss between them (DINOv2)."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.training.precision import autocast
from omnibench.training.processes import sum_over_processes

from .crops import GLOBAL, Crops
from .heads import Head
from .losses import cross_entropy, koleo
from .network import MaskedViT
from .recipes import DistillationRecipe
from .targets import Targets, sinkhorn_knopp, softmax

CENTRE_MOMENTUM = 0.9
# Masked patches fill such blocks. Each step masks another number of them; every new shape would
# leave kernels of oneDNN and holes in memory behind: 24 steps of ViT-S took 9 GiB instead of 5.
ROWS = 64


class Network(nn.Module):
    """A backbone and the heads of DINO (class tokens) and iBOT (masked patches)."""

    def __init__(self, vit: Any, recipe: DistillationRecipe) -> None:
        super().__init__()
        self.backbone = MaskedViT(vit, recipe.checkpoint_activations)
        sizes = recipe.head_layers, recipe.hidden, recipe.bottleneck, recipe.prototypes
        self.dino = Head(int(vit.embed_dim), *sizes)
        self.ibot = Head(int(vit.embed_dim), *sizes)


class Distillation(nn.Module):
    """A student that learns what its own moving average says of other views.

    Args:
        vit: a timm ViT, the student's start and the teacher's.
    """

    def __init__(self, vit: Any, recipe: DistillationRecipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.student = Network(vit, recipe)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        for name in ("dino", "ibot"):
            self.register_buffer(f"{name}_centre", torch.zeros(recipe.prototypes))

    def set_training(self) -> None:
        self.student.train()
        self.teacher.eval()

    @torch.no_grad()
    def answers(self, crops: Crops, temperature: float, device: str) -> "Answers":
        """What the teacher says of its process's crops, shared out over all processes' rows."""
        recipe = self.recipe
        with autocast(recipe.precision, device):
            tokens, patches = self.teacher.backbone(crops.whole)
            classes = self.teacher.dino(tokens)
            masked_at = _masked_places(crops.masks)
            masked = self.teacher.ibot(patches.flatten(0, 1)[masked_at])
        # In fp32: over a temperature of .04 the rounding of bf16 would be a tenth of the answer.
        dino = classes @ self.teacher.dino.prototypes().T
        ibot = masked @ self.teacher.ibot.prototypes().T
        ibot = ibot[: crops.masks.sum()]
        numbers = torch.full(crops.masks.flatten(1).shape, -1, device=tokens.device)
        numbers[crops.masks.flatten(1)] = torch.arange(len(ibot), device=tokens.device)
        return Answers(
            self._distributions("dino", dino, temperature),
            self._distributions("ibot", ibot, temperature),
            numbers,
            tokens.float(),
        )

    def _distributions(self, name: str, logits: Tensor, temperature: float) -> Targets:
        if self.recipe.centring == "sinkhorn":
            return sinkhorn_knopp(logits, temperature)
        if self.recipe.centring == "none":
            return softmax(logits, temperature, None)
        centre = self.get_buffer(f"{name}_centre")
        sums = torch.cat([logits.sum(dim=0), logits.new_full((1,), len(logits))])
        sum_over_processes([sums])
        targets = softmax(logits, temperature, centre)
        # Of the next step, as in DINOv2.
        mean = sums[:-1] / sums[-1].clamp_min(1)
        self.register_buffer(f"{name}_centre", centre.lerp(mean, 1 - CENTRE_MOMENTUM))
        return targets

    def losses(
        self, crops: Crops, answers: "Answers", images: Tensor, whole: int
    ) -> dict[str, Tensor]:
        """A part's contributions to the weighted terms of the loss of `whole` images.

        Args:
            crops: of this part.
            answers: of all images of this process.
            images: this part's places among them.
        """
        recipe, head = self.recipe, self.student.dino
        tokens, patches = self.student.backbone(crops.whole, crops.masks, crops.paths)
        own = len(answers.tokens) // GLOBAL
        first, second = images.to(tokens.device), images.to(tokens.device) + own
        prototypes = head.prototypes()
        # Each global crop answers to the other one, each local crop to both.
        shown = [(tokens, torch.cat([second, first])[:, None])]
        if len(crops.local):
            local, _ = self.student.backbone(crops.local, None, crops.local_paths)
            both = torch.stack([first, second], dim=1)
            shown.append((local, both.repeat(recipe.local_crops, 1)))
        weight = recipe.dino_weight / (whole * dino_terms(recipe))
        dino = [
            cross_entropy(
                head(tokens_of_view),
                prototypes,
                answers.dino,
                of,
                torch.full((len(tokens_of_view),), weight, device=tokens_of_view.device),
                recipe.student_temperature,
            )
            for tokens_of_view, of in shown
        ]
        koleos = [koleo(view) for view in tokens.chunk(GLOBAL)] if recipe.koleo_weight else []
        zero = tokens.new_zeros((), dtype=torch.float32)
        return {
            "dino": sum(dino, zero),
            "ibot": self._ibot(patches, crops.masks.flatten(1), answers, torch.cat([first, second]))
            / whole,
            "koleo": recipe.koleo_weight * len(images) / whole * sum(koleos, zero),
        }

    def _ibot(self, patches: Tensor, masks: Tensor, answers: "Answers", places: Tensor) -> Tensor:
        """Mean over a crop's masked patches, summed over crops, halved: of two views of an image.

        Args:
            patches: [2 m, N, D]; masks: [2 m, N]; places: [2 m] among the process's crops.
        """
        head, recipe = self.student.ibot, self.recipe
        shares = (recipe.ibot_weight / GLOBAL / masks.sum(dim=1).clamp_min(1))[:, None]
        masked_at = _masked_places(masks)
        weights = shares.expand_as(masks).flatten()[masked_at]
        weights[masks.sum() :] = 0
        return cross_entropy(
            head(patches.flatten(0, 1)[masked_at]),
            head.prototypes(),
            answers.ibot,
            answers.numbers[places].flatten()[masked_at][:, None],
            weights,
            recipe.student_temperature,
        )

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """Move the teacher: momentum times itself, the rest the student."""
        for mean, parameter in zip(
            self.teacher.parameters(), self.student.parameters(), strict=True
        ):
            mean.lerp_(parameter, 1 - momentum)


def _masked_places(masks: Tensor) -> Tensor:
    """Return where masks are True, flat, the last one again up to a whole number of ROWS."""
    places = masks.flatten().nonzero()[:, 0]
    return torch.cat([places, places[-1:].expand(-len(places) % ROWS)])


@dataclass(frozen=True)
class Answers:
    """What the teacher says of a process's b images.

    Attributes:
        dino: distributions of the 2 b class tokens.
        ibot: distributions of the masked patches, crop by crop.
        numbers: [2 b, N], a masked patch's row in `ibot`; -1 elsewhere.
        tokens: [2 b, D] class tokens.
    """

    dino: Targets
    ibot: Targets
    numbers: Tensor
    tokens: Tensor


def dino_terms(recipe: DistillationRecipe) -> int:
    """By how many terms the sum over pairs of crops is divided.

    DINOv2's code counts one local term where there is none: with global crops alone the sum of two
    pairs is divided by three, and weighs 2/3 of what the paper's formula says.
    """
    local = GLOBAL * recipe.local_crops
    return GLOBAL + (max(local, 1) if recipe.dino_scale == "dinov2" else local)
