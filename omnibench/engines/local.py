"""The local engine: one unit after another in this process."""

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.execute import Finished, claim, execute_unit, only
from omnibench.memory import keep_freed_memory
from omnibench.store import RecordStore
from omnibench.training.processes import agreed, wait_for_all

POLL_SECONDS = 1.0


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit as it finishes.

    A unit that another runner of the same results folder holds is put back and looked at again;
    what that runner has written by then is not computed twice. Each claim is let go before the
    unit is handed out. A unit whose backbone another one makes waits for that; where it failed,
    nothing is computed and no record written.
    """
    torch.set_num_threads(context.threads)
    keep_freed_memory()
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    store = RecordStore(context.results)
    queue, busy = deque(agreed(units)), 0
    while queue:
        if busy == len(queue):
            time.sleep(POLL_SECONDS)
            busy = 0
        unit = queue.popleft()
        if waits := agreed([m for m in unit.after if not _is_done(m, store)]):
            if any(maker.name == other.name for maker in waits for other in queue):
                queue.append(unit)
                busy += 1
            else:
                yield Finished(unit, dict.fromkeys(unit.repetitions, _absent(waits)), 0.0)
            continue
        with claim(unit, context) as ours:
            if not agreed(ours):
                queue.append(unit)
                busy += 1
                continue
            busy = 0
            records = {cell.repetition: store.read(cell) for cell in unit.cells}
            due = agreed(tuple(k for k, record in records.items() if context.due(record)))
            there = {
                k: _message(record) for k, record in records.items() if record and k not in due
            }
            finished = execute_unit(only(unit, due), context) if due else Finished(unit, {}, 0.0)
            wait_for_all()  # until the first process has written its records
            yield Finished(unit, {**there, **finished.repetitions}, finished.seconds)


def _is_done(unit: Unit, store: RecordStore) -> bool:
    records = [store.read(cell) for cell in unit.cells]
    return all(record is not None and record["status"] == "done" for record in records)


def _absent(makers: Sequence[Unit]) -> str:
    return f"{', '.join(maker.name for maker in makers)} did not end, whose weights it needs"


def _message(record: Mapping[str, Any]) -> str | None:
    return str(record["error"]["message"]) if record["error"] else None
