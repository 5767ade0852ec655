"""One unit that is ours, from what is due of it to what became of it; every engine ends here."""

from dataclasses import replace

import torch

from omnibench.cell import Unit
from omnibench.context import Context, using_data
from omnibench.execute import Finished, error_message, execute_unit, only
from omnibench.memory import keep_freed_memory
from omnibench.store import RecordStore
from omnibench.training.processes import agreed, wait_for_all


def prepare(context: Context) -> None:
    """Set what decides a process's numbers: its threads, and the exact paths of torch."""
    torch.set_num_threads(context.threads)
    keep_freed_memory()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def run_one(unit: Unit, context: Context) -> Finished:
    """Compute what is due of a unit; what another runner has written is not computed again."""
    store = RecordStore(context.results)
    records = {cell.repetition: store.look(cell) for cell in unit.cells}
    due = agreed(tuple(k for k, record in records.items() if context.due(record)))
    there = {k: error_message(record) for k, record in records.items() if k not in due}
    with using_data(context.data):  # where what has no context looks, such as METEOR
        finished = execute_unit(only(unit, due), context) if due else Finished(unit, {}, 0.0)
    wait_for_all()  # until the first process has written its records
    return replace(finished, unit=unit, repetitions={**there, **finished.repetitions})
