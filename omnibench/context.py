"""The one frozen context of a run, from which paths and devices derive."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from omnibench.leases import Lease
from omnibench.recipe import native_precision
from omnibench.record import NEWER

Progress = Callable[[str, int, int], None]  # (stage, done, total)
Watch = Callable[[str, str, int, int], None]  # (name of a unit, stage, done, total)
# Stages that are not a task's own: taken up by a slot, put back to be taken up again, its
# repetitions that have an outcome; and how the name of a frozen pass over a split begins.
STARTING, WAITING, RECORDED, FEATURES = "starting", "waiting", "repetitions", "features of"


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing of a stage."""


def unwatched(unit: str, stage: str, done: int, total: int) -> None:
    """Show nothing of a unit."""


def default_results() -> Path:
    """OMNIBENCH_RESULTS, or results/ in the working directory."""
    return Path(os.environ.get("OMNIBENCH_RESULTS", "results"))


_data_in_use: list[Path] = []


@contextlib.contextmanager
def using_data(folder: Path) -> Iterator[None]:
    """Make a folder the default data folder of this process while a block runs."""
    _data_in_use.append(folder)
    try:
        yield
    finally:
        _data_in_use.pop()


def default_data() -> Path:
    """Return the data folder in use; else OMNIBENCH_DATA, or the user's cache folder."""
    if _data_in_use:
        return _data_in_use[-1]
    configured = os.environ.get("OMNIBENCH_DATA")
    return Path(configured) if configured else user_cache_path("omnibench")


@dataclass(frozen=True)
class Context:
    """Where a run reads and writes, and on what it computes.

    Attributes:
        results: holds records/ and reports/.
        data: holds datasets, weights, packed arrays and features.
        device: "cpu", "cuda", "cuda:1", "mps".
        threads: CPU threads torch may use.
        retry_failed, force: compute again what failed, or everything asked for.
        run: what tells this run from any other; a record that carries it is not made twice.
        steal: holders whose units are taken over, as of `Leases`.
        lease: under which a unit's records and checkpoints are written; None where no other
            runner can be.
        process: rank and number of the processes that share each training (torchrun).
        jobs: units that may run at a time.
        gpus: how many this machine has.
        plugins: files that register backbones, datasets or tasks, for processes of an engine.
        profile: file of what a SLURM job asks for.
        time_limit, memory_limit: of a unit, in seconds and GiB; None for none.
        unit: the name of the unit in hand; "" for none.
        watch: called with (unit, stage, done, total) while a unit goes on. It belongs to the
            process that shows the run: a context that is sent to another one has none.
    """

    results: Path
    data: Path
    device: str = "cpu"
    threads: int = 1
    retry_failed: bool = False
    force: bool = False
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    steal: tuple[str, ...] = ()
    lease: Lease | None = None
    process: tuple[int, int] = (0, 1)
    jobs: int = 1
    gpus: int = 0
    plugins: tuple[Path, ...] = ()
    profile: Path | None = None
    time_limit: float | None = None
    memory_limit: float | None = None
    unit: str = ""
    watch: Watch = unwatched

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far the unit in hand is; a total of 0 where that is not known."""
        self.watch(self.unit, stage, done, total)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process."""
        return {**vars(self), "watch": unwatched}

    def due(self, record: Mapping[str, Any] | None) -> bool:
        """Whether a cell with this record (None: no record) is to be computed in this run."""
        if record is None:
            return True
        if record["status"] == NEWER:  # never written over
            return False
        wanted = self.force or (self.retry_failed and record["status"] == "failed")
        return wanted and record.get("run") != self.run

    def check_lease(self) -> None:
        """Be sure, before a unit's file is written, that the unit is still this runner's.

        Raises:
            LostLeaseError: it is not.
        """
        if self.lease is not None:
            self.lease.require()

    @property
    def precision(self) -> str:
        """What a recipe's precision `auto` is here."""
        return native_precision(self.device)

    @property
    def writes(self) -> bool:
        """Whether this process holds claims and writes records: the first one."""
        return self.process[0] == 0

    @property
    def features(self) -> Path:
        """Folder of the feature store."""
        return self.data / "features"
