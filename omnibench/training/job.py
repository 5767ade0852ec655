"""What a training is given: its model and loss, its data's size, its seeds and its folders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from omnibench.cell import Unit
from omnibench.context import Context, Progress
from omnibench.execute import only
from omnibench.files import Check, inside, unchecked
from omnibench.record_files import EVALUATIONS


@dataclass(frozen=True)
class Batch:
    """A part of one optimiser step's images.

    Attributes:
        step: number of the step since the start of training; with `places` it fixes every draw.
        rows: indices of this part's images in the training split.
        places: their places in the step's whole batch.
        whole: indices of the whole batch, by which the loss is normalised.
    """

    step: int
    rows: Tensor
    places: Tensor
    whole: Tensor


class Hooks:
    """What a training does around each optimiser step; by itself nothing."""

    def ahead(self, rows: Tensor) -> None:
        """Called with the next step's whole batch while this one is still to come."""

    def before(self, batch: Batch) -> None:
        """Called with this process's part of the batch, before its first forward pass."""

    def after(self, step: int, loss: float, norm: float) -> None:
        """Called when the optimiser has made its step."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {}

    def resume(self, step: int, state: Mapping[str, Any]) -> None:
        """Called once before the first step, with a checkpoint's state ({} without one)."""


@dataclass
class Job:
    """What is trained, and how it is judged.

    Attributes:
        model: parameters with requires_grad are trained.
        count: training images.
        epoch_images: images of an epoch, which goes over `count` again where they are more; None
            for `count`.
        loss: a part's contribution to the step's loss; the parts' sum is the loss.
        validate: metrics after an epoch, of which `select` is maximised, or minimised; without
            `select` the last epoch is kept.
        set_mode: puts trained parts into training mode and frozen ones into evaluation mode.
        seed: of data order and of what the model draws (dropout).
        groups: AdamW's parameter groups; None for one group of all trained parameters.
        course: sets the groups' rates for a step and returns the one to report; None for the
            recipe's warm-up and decay.
        clipped: the sets of parameters whose gradient norm is clipped each by itself.
        whole_batches: leave out what an epoch has beyond its last whole batch.
        fixed_parts: the loss is of micro-batches of one size, which may not be split further.
        keep_frozen: checkpoints hold frozen parameters too, since something moves them.
        checkpoint_steps: also write a checkpoint after so many steps; each epoch has one.
        checkpoints: how many of the last checkpoints are kept.
        flops_per_image: of training on one image, backward pass included; None where unknown.
        check: called before a file appears; raises where the cell is another runner's by now.
    """

    model: nn.Module
    count: int
    loss: Callable[[Batch], Tensor]
    validate: Callable[[], Mapping[str, float]]
    set_mode: Callable[[], object]
    select: str | None
    seed: int
    device: str
    folder: Path
    log: Path
    progress: Progress
    name: str = "training"
    epoch_images: int | None = None
    minimise: bool = False
    groups: list[dict[str, Any]] | None = None
    course: Callable[[Optimizer, int], float] | None = None
    clipped: Sequence[Sequence[nn.Parameter]] | None = None
    hooks: Hooks = field(default_factory=Hooks)
    whole_batches: bool = False
    fixed_parts: bool = False
    keep_frozen: bool = False
    checkpoint_steps: int | None = None
    checkpoints: int = 2
    flops_per_image: float | None = None
    check: Check = unchecked

    @property
    def each_epoch(self) -> int:
        """Images of an epoch."""
        return self.count if self.epoch_images is None else self.epoch_images


def cell_job(
    unit: Unit,
    repetition: int,
    context: Context,
    model: nn.Module,
    count: int,
    loss: Callable[[Batch], Tensor],
    validate: Callable[[], Mapping[str, float]],
    set_mode: Callable[[], object],
    select: str | None,
    **further: Any,
) -> Job:
    """Return the job of a unit's repetition; arguments as `Job` names them."""
    cell = only(unit, (repetition,)).cells[0]
    # A training goes on in the precision that it began with, or begins anew.
    precision = unit.recipe.get("precision", "fp32")
    folder = context.results / "checkpoints" / f"{cell.digest}-{precision}"
    folder = inside(folder, context.results)
    return Job(
        model=model,
        count=count,
        loss=loss,
        validate=validate,
        set_mode=set_mode,
        select=select,
        seed=unit.seed("order", repetition),
        device=context.device,
        folder=folder,
        log=folder / EVALUATIONS,
        progress=context.progress,
        name=f"training of repetition {repetition}",
        check=context.check_lease,
        **further,
    )
