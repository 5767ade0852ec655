"""The training of one cell: where its checkpoints and its log lie, and what it is seeded with."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.execute import only
from omnibench.store import RecordStore
from omnibench.training.loop import Batch, Job


def cell_job(
    unit: Unit,
    repetition: int,
    context: Context,
    model: nn.Module,
    count: int,
    loss: Callable[[Batch], Tensor],
    validate: Callable[[], Mapping[str, float]],
    set_mode: Callable[[], object],
    select: str,
    minimise: bool = False,
) -> Job:
    """Return the job of a unit's repetition; arguments as `Job` names them."""
    cell = only(unit, (repetition,)).cells[0]
    return Job(
        model=model,
        count=count,
        loss=loss,
        validate=validate,
        set_mode=set_mode,
        select=select,
        minimise=minimise,
        seed=unit.seed("order", repetition),
        device=context.device,
        folder=context.results / "checkpoints" / cell.digest,
        log=RecordStore(context.results).path(cell).with_suffix(".epochs.jsonl"),
        progress=context.progress,
        name=f"repetition {repetition}, epoch",
    )
