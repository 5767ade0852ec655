"""Engines: each takes units and a context, and yields the units as they finish."""

import contextlib
import inspect
import logging
from collections.abc import Iterator, Sequence
from typing import Protocol

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.slurm_jobs import noted
from omnibench.errors import OmnibenchError, RequestError, one_line
from omnibench.execute import Finished
from omnibench.registry import Registry

log = logging.getLogger("omnibench")


class Engine(Protocol):
    """Where units run: a plain function. Records are the same whichever engine made them.

    `omnibench.execute.execute_unit` computes a unit, writes a record for each of its repetitions
    and never raises for a failure of theirs. An engine decides where and when that is called: in
    which process, on which machine, how many at a time. It keeps to four rules:

    - A unit runs under its lease, as two runners may work on one folder; what another one holds is
      tried again later, and so is a unit that was `lost` to another while it ran.
    - A unit starts after all of `unit.after`, whose weights it needs.
    - Each unit is yielded once, when it has ended. What a process left unfinished when it died is
      made a failure by `omnibench.execute.fail_unit`.
    - A `GeneratorExit` or an `Interrupted` ends what still runs.

    One unit after the other in this process:

        def run(units, context):
            leases = Leases(context.results)
            for unit in sorted(units, key=lambda unit: len(unit.after)):
                finished = None
                while finished is None or finished.lost:
                    with leases.held(unit.name) as lease:
                        if lease is None:
                            time.sleep(1)
                        else:
                            finished = execute_unit(unit, replace(context, lease=lease))
                yield finished


        register_engine("plain", run)
    """

    def __call__(self, units: Sequence[Unit], context: Context) -> Iterator[Finished]:
        """Yield each unit once, when its records are written.

        Args:
            units: with the repetitions that are due.
            context: folders, device, threads, and how many units may run at a time; its
                `watch` may be called with (name of a unit, stage, done, total), which
                `execute_unit` does for what runs in this process.
        """
        ...


def _check(engine: Engine) -> None:
    """Be sure that an engine can be called as one.

    Raises:
        RequestError: it cannot.
    """
    if not callable(engine):
        raise RequestError(f"an engine is a function run(units, context), not {engine!r}")
    try:
        with contextlib.suppress(ValueError):  # one in C, which does not tell
            inspect.signature(engine).bind((), None)
    except TypeError as error:
        raise RequestError(f"{_named(engine)} does not take (units, context): {error}") from None


engines: Registry[Engine] = Registry("engine", "omnibench.engines", _check)


def register_engine(name: str, engine: Engine) -> Engine:
    """Make an engine known, so that `run --engine NAME` takes it.

    Raises:
        RequestError: the name is taken, or it is no function of (units, context).
    """
    engines.add(name, engine)
    return engine


def run_units(engine: Engine, units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Yield each unit as an engine yields it.

    Raises:
        OmnibenchError: the engine raised, or yielded no `Finished`, a unit twice, one that it was
            not given or, at its end, not all of them; units that SLURM was given are not missed.
    """
    given = {unit.name for unit in units}
    left = set(given)
    try:
        for finished in engine(units, context):
            if not isinstance(finished, Finished):
                raise _broken(engine, f"yielded {type(finished).__name__}, which is no Finished")
            if finished.unit.name not in left:
                what = "a second time" if finished.unit.name in given else "which it was not given"
                raise _broken(engine, f"yielded {finished.unit.name} {what}")
            left.remove(finished.unit.name)
            yield finished
    except OmnibenchError:
        raise
    except Exception as error:
        log.debug("%s failed", _named(engine), exc_info=True)
        raise _broken(engine, f"raised {type(error).__name__}: {one_line(error)}") from error
    if missed := sorted(left - noted(context.results).keys()):
        more = f" and {len(missed) - 1} more" if len(missed) > 1 else ""
        raise _broken(engine, f"ended without yielding {missed[0]}{more}")


def _broken(engine: Engine, what: str) -> OmnibenchError:
    return OmnibenchError(
        f"{_named(engine)} {what}; what is recorded stays, and once the engine is mended the same "
        "command computes the rest"
    )


def _named(engine: Engine) -> str:
    """Return "the engine" with its function and file."""
    code = getattr(engine, "__code__", getattr(type(engine).__call__, "__code__", None))
    name = getattr(engine, "__qualname__", type(engine).__qualname__)
    return f"the engine {name}" + (f" in {code.co_filename}" if code else "")
