"""Engines: each takes units and a context, and yields the units as they finish."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.execute import Finished
from omnibench.registry import Registry


class Engine(Protocol):
    """Where units run. Records are the same whichever engine made them."""

    def __call__(self, units: Sequence[Unit], context: Context) -> Iterator[Finished]:
        """Yield each unit once, when its records are written."""
        ...


engines: Registry[Engine] = Registry("engine")
engines.add("local", "omnibench.engines.local:run")
engines.add("ray", "omnibench.engines.ray:run")
engines.add("slurm", "omnibench.engines.slurm:run")
