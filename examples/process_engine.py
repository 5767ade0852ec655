"""An engine from outside: a fresh process for every unit, so that none inherits another's memory.

omnibench run SUITE --plugin process_engine.py --engine processes
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection

from omnibench import (
    Context,
    Finished,
    Leases,
    Unit,
    errors,
    fail_unit,
    register_engine,
    run_due,
    set_up,
)


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit when it has ended; those whose backbone another unit makes come last."""
    leases = Leases(context.results, context.steal)
    for unit in sorted(units, key=lambda unit: len(unit.after)):
        finished = None
        while finished is None or finished.lost:
            with leases.held(unit.name) as lease:
                if lease is None:  # another runner has it
                    time.sleep(1)
                else:
                    context.watch(unit.name, "starting", 0, 0)  # for who watches the run
                    finished = in_a_process(unit, replace(context, lease=lease))
        yield finished


def in_a_process(unit: Unit, context: Context) -> Finished:
    """Run a unit in a process of its own, which ends with this call, however that ends."""
    spawning = multiprocessing.get_context("spawn")
    receiving, sending = spawning.Pipe(duplex=False)
    process = spawning.Process(target=compute, args=(unit, context, sending), daemon=True)
    process.start()
    sending.close()
    began = time.monotonic()
    try:
        finished: Finished = receiving.recv()
        return finished
    except EOFError:  # it died, and with it its end of the pipe
        process.join()
        error = errors.KilledError(f"its process ended with exit status {process.exitcode}")
        return fail_unit(unit, context, error, 1, time.monotonic() - began)
    finally:
        process.terminate()
        process.join()


def compute(unit: Unit, context: Context, sending: Connection) -> None:
    """Run a unit in this process, which knows nothing yet, and send what became of it."""
    set_up(context)
    sending.send(run_due(unit, context))


register_engine("processes", run)
