"""What every command starts from: folders, plug-ins, the catalogue, a suite and its filters."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import backbones, load_plugin
from omnibench.context import Context, default_data, default_results
from omnibench.device import best_device, default_threads, visible_gpus
from omnibench.pretrained import register_recorded

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.states import Filters
    from omnibench.store import RecordStore
    from omnibench.suite import Suite, SuiteSource


MONITORED = "monitoring"  # folder of what says how many repetitions suites were given in rounds


@dataclass(frozen=True)
class Places:
    """The files and folders that every command is given."""

    plugins: tuple[Path, ...] = ()
    results: Path | None = None
    data: Path | None = None


@dataclass(frozen=True)
class Session:
    """Folders resolved and everything registered.

    Attributes:
        plugged: ids of the backbones that the plug-ins of this command registered.
        plugins: their files.
    """

    results: Path
    data: Path
    plugged: tuple[str, ...]
    plugins: tuple[Path, ...]

    @classmethod
    def open(cls, places: Places) -> "Session":
        """Register what is installed, what the plug-in files hold, what pretrainings left."""
        plugged = tuple(name for plugin in places.plugins for name in load_plugin(plugin))
        results = (places.results or default_results()).absolute()
        register_recorded(results)
        data = (places.data or default_data()).absolute()
        return cls(results, data, plugged, tuple(path.absolute() for path in places.plugins))

    @property
    def store(self) -> "RecordStore":
        """Return the records of this results folder."""
        from omnibench.store import RecordStore

        return RecordStore(self.results)

    def context(self, device: str = "auto", threads: int | None = None, **options: Any) -> Context:
        """Return a context on this machine's best device, or on the one named."""
        return Context(
            results=self.results,
            data=self.data,
            device=best_device() if device == "auto" else device,
            threads=threads or default_threads(),
            gpus=visible_gpus(),
            plugins=self.plugins,
            **options,
        )

    def suite(
        self, source: "SuiteSource", filters: "Filters | None" = None
    ) -> "tuple[Suite, tuple[Unit, ...]]":
        """Return a suite and the units that the filters leave.

        Backbones of a plug-in join the suite's own, and so does a registered one that
        `--backbones` names in full. A suite that is run until it is decided has the repetitions
        that it was given so far.
        """
        from omnibench.sources import Sources
        from omnibench.states import Filters, select
        from omnibench.suite import load as load_suite

        filters = filters or Filters()
        named = tuple(name for name in filters.backbones if name in backbones)
        suite = load_suite(source, Sources(self.data, self.results), (*self.plugged, *named))
        if (self.results / MONITORED / f"{suite.name}.json").exists():
            from omnibench.monitoring import monitoring_of

            monitoring = monitoring_of(suite.name, self.results)
            suite = suite if monitoring is None else monitoring.applied(suite)
        return suite, select(suite, filters)
