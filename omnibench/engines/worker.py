"""What a process that runs units does: before the first one, and with each. Every engine ends here.

The runner imports this too, without torch.
"""

import logging
from dataclasses import replace

from omnibench.catalogue import load_plugin
from omnibench.cell import Unit
from omnibench.context import Context, using_data
from omnibench.errors import OmnibenchError, StoreError, one_line
from omnibench.execute import Finished, error_message, execute_unit, fail_unit, only
from omnibench.memory import keep_freed_memory
from omnibench.pretrained import register_recorded
from omnibench.store import RecordStore

log = logging.getLogger("omnibench")


def register_all(context: Context) -> None:
    """Make known in this process what its runner knows: from plug-ins, and recorded.

    Raises:
        RequestError: a plug-in cannot be imported here.
    """
    for plugin in context.plugins:
        load_plugin(plugin)
    register_recorded(context.results)


def set_up(context: Context) -> None:
    """Make a fresh process ready to run units: what is registered, and what decides its numbers.

    Raises:
        RequestError: as `register_all`.
    """
    register_all(context)
    set_exact(context)


def set_exact(context: Context) -> None:
    """Set what decides a process's numbers: its threads, and the exact paths of torch."""
    import torch

    torch.set_num_threads(context.threads)
    keep_freed_memory()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def run_due(unit: Unit, context: Context) -> Finished:
    """Compute what is due of a unit; what another runner has written is not computed again."""
    from omnibench.training.processes import agreed, wait_for_all

    store = RecordStore(context.results)
    try:
        records = {cell.repetition: store.look(cell) for cell in unit.cells}
    except StoreError as error:  # a link out: nothing is read or written through it
        if context.process[1] > 1:
            raise  # the others wait for this one: torchrun ends them all
        return fail_unit(unit, context, error, 1, 0.0)
    due = agreed(tuple(k for k, record in records.items() if context.due(record)))
    there = {k: error_message(record) for k, record in records.items() if k not in due}
    with using_data(context.data):  # where what has no context looks, such as METEOR
        finished = execute_unit(only(unit, due), context) if due else Finished(unit, {}, 0.0)
    set_back(unit, context)
    wait_for_all()  # until the first process has written its records
    return replace(finished, unit=unit, repetitions={**there, **finished.repetitions})


def set_back(unit: Unit, context: Context) -> None:
    """Say that what a unit uses from outside has changed torch's threads, and set them back."""
    import torch

    if (threads := torch.get_num_threads()) != context.threads:
        log.warning(
            "%s: an extension set torch to %d threads where %d were set, so that its records may "
            "differ in last bits; set none",
            *(unit.name, threads, context.threads),
        )
        set_exact(context)


def refusal(error: Exception, what: str = "could not start") -> OmnibenchError:
    """Return the error for the records of a unit whose process another error has stopped."""
    if isinstance(error, OmnibenchError):
        return error
    return OmnibenchError(f"its process {what}: {type(error).__name__}: {one_line(error)}")
