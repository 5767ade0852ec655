"""One unit after another in this process: under torchrun, and wherever a process is given."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.queue import AGAIN_SECONDS, Queue
from omnibench.engines.worker import run_due, set_exact
from omnibench.execute import Finished
from omnibench.training.processes import agreed


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit as it finishes.

    A unit that another runner of the same results folder holds is looked at again later. Each
    lease is let go before its unit is handed out. A unit whose backbone another one makes waits for
    that; where it failed, nothing is computed and no record written. Of several processes that
    share a training the first one holds the leases.
    """
    set_exact(context)
    queue = Queue(agreed(units), context)
    try:
        while agreed(bool(queue)):
            yield from agreed(list(queue.orphans()) if context.writes else [])
            unit = agreed(queue.start() if context.writes else None)
            if unit is None:
                if agreed(bool(queue)):
                    time.sleep(AGAIN_SECONDS)
                continue
            finished = run_due(unit, replace(context, lease=queue.running.get(unit.name)))
            ended = agreed(queue.end(unit, finished) if context.writes else None)
            if ended is not None:
                yield ended
    finally:
        queue.close()
