"""The Python API: what the commands compute, as tables, in a notebook or a script.

Nothing of the process stays changed after a call but what plug-ins register. Every mistake is an
error of `omnibench.errors`.

A run computes in processes of its own. What they need beside a backbone's card, such as a task or
a builder, stands in a file: named under `plugins`, or installed. A notebook's cell is none.
"""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from omnibench.cards import BackboneCard
from omnibench.errors import RequestError
from omnibench.session import Places, Session
from omnibench.states import CellState, Filters, needs, states
from omnibench.store import RecordStore
from omnibench.suite import SuiteSource, shipped
from omnibench.tidy import tidy

if TYPE_CHECKING:
    from omnibench.commands.running import Run
    from omnibench.encoders import Encoder

log = logging.getLogger("omnibench")
Globs = str | Sequence[str]
Plugins = Sequence[str | Path]
Folder = str | Path | None


@dataclass(frozen=True)
class Plan:
    """What a suite asks for.

    Attributes:
        cells: a row a cell: task, dataset, backbone, adaptation, repetition, digest, state
            ("done", "missing", "failed", "blocked"), needs (what blocks it) and error.
        hours: roughly what the cells take that are missing or blocked.
        gigabytes: roughly what they add to the disk.
        needs: what is absent, each with where to get it.
        warnings: what is in doubt about the data.
    """

    cells: pd.DataFrame = field(repr=False)
    hours: float
    gigabytes: float
    needs: tuple[str, ...]
    warnings: tuple[str, ...]


def plan(
    suite: SuiteSource,
    *,
    tasks: Globs = (),
    datasets: Globs = (),
    backbones: Globs = (),
    adaptations: Globs = (),
    repetitions: Sequence[int] = (),
    device: str = "auto",
    results: Folder = None,
    data: Folder = None,
    plugins: Plugins = (),
) -> Plan:
    """Return a suite's cells, what is done of them, what blocks them and what the rest costs.

    Nothing is loaded, fetched or computed.

    Args:
        suite: a shipped suite's name, a file, or what such a file holds as a dict (paths in it
            are taken from the working directory on).
        tasks, datasets, backbones, adaptations: globs that narrow it; () for all.
        repetitions: numbers; () for all.
        device: on which the cost is estimated; "auto" for this machine's best one.
        results, data: folders; None for those that the command takes.
        plugins: Python files that register more.

    Raises:
        RequestError: the suite, a filter or a plug-in is wrong.
    """
    from omnibench.commands.planning import Planned

    filters = _filters(tasks, datasets, backbones, adaptations, repetitions)
    planned = Planned.from_suite(suite, filters, _session(results, data, plugins), device)
    return Plan(
        cells=_cells(planned.states),
        hours=planned.cost["seconds"] / 3600,
        gigabytes=planned.cost["disk_bytes"] / 1e9,
        needs=tuple(needs(planned.states)),
        warnings=tuple(planned.warnings),
    )


def run(
    suite: SuiteSource,
    *,
    tasks: Globs = (),
    datasets: Globs = (),
    backbones: Globs = (),
    adaptations: Globs = (),
    repetitions: Sequence[int] = (),
    engine: str = "local",
    device: str = "auto",
    jobs: int | None = None,
    threads: int | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    retry_failed: bool = False,
    force: bool = False,
    max_failures: int | None = None,
    until_decided: bool = False,
    max_repetitions: int | None = None,
    address: str | None = None,
    profile: Folder = None,
    results: Folder = None,
    data: Folder = None,
    plugins: Plugins = (),
) -> pd.DataFrame:
    """Compute a suite's missing cells; given again, it goes on where it stopped.

    What goes on is shown on standard error, in a notebook as a live table. A cell that fails is
    a record with its error, and a row here; it raises nothing.

    Args:
        suite, the filters, results, data, plugins: as of `plan`.
        engine: "local", "ray", "slurm", or one that is registered.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        jobs: units at a time; None for one, or one a GPU.
        threads: of the CPU, for all jobs together; None for OMP_NUM_THREADS, or the cores.
        time_limit, memory_limit: of a unit, in seconds and GiB.
        retry_failed, force: compute again what failed, or everything.
        max_failures: failed cells after which it stops.
        until_decided: whether repetitions are added in rounds until the comparisons with the
            suite's baseline are decided, equivalent or hopeless; max_repetitions: at most, 10 for
            None.
        address, profile: of a running Ray cluster; file of what a SLURM job asks for.

    Returns:
        The cells as `Plan` has them, as they are afterwards.

    Raises:
        RequestError: the request is wrong, or nothing could start.
        KeyboardInterrupt: it was interrupted; what is finished stays.
    """
    from omnibench.commands.options import RunOptions
    from omnibench.commands.running import prepared
    from omnibench.interrupts import Interrupted

    options = RunOptions(
        engine=engine,
        device=device,
        jobs=jobs,
        threads=threads,
        time_limit=time_limit,
        memory_limit=memory_limit,
        retry_failed=retry_failed,
        force=force,
        max_failures=max_failures,
        until_decided=until_decided,
        max_repetitions=max_repetitions,
        address=address,
        profile=None if profile is None else Path(profile),
    )
    filters = _filters(tasks, datasets, backbones, adaptations, repetitions)
    session = _session(results, data, plugins)
    try:
        if until_decided:
            from omnibench.commands.rounds import rounds

            cells: list[CellState] = []
            for run in rounds(suite, filters, session, options, log.info):
                cells = _computed(run)
            return _cells(cells)
        with prepared(suite, filters, session, options) as run:
            return _cells(_computed(run))
    except Interrupted as interrupted:
        # Whoever handled this signal before the run is to handle it now.
        signal.raise_signal(interrupted.number)
        raise KeyboardInterrupt from None


def results(
    source: SuiteSource,
    *,
    results: Folder = None,
    data: Folder = None,
    plugins: Plugins = (),
) -> pd.DataFrame:
    """Return one row for each cell, metric and view, as `omnibench.tidy.tidy` describes them.

    Args:
        source: a suite, as of `plan`, for its own records; or a folder of results, for all there
            are in it.
        results, data, plugins: as of `plan`.

    Raises:
        RequestError: the suite is wrong, or the folder holds no records.
    """
    if not isinstance(source, Mapping) and str(source) not in shipped() and Path(source).is_dir():
        store = RecordStore(Path(source).absolute())
        if not store.root.is_dir():
            raise RequestError(f"{source} holds no folder `records`; name a folder of results")
        _session(source, data, plugins)
        return tidy(record for _, record in store.all())
    session = _session(results, data, plugins)
    _, units = session.suite(source)
    return tidy(state.record for state in states(units, session.store) if state.record)


def compare(
    a: str,
    b: str,
    *,
    metric: str | None = None,
    suite: str | None = None,
    margin: float | None = None,
    tasks: Globs = (),
    datasets: Globs = (),
    adaptations: Globs = (),
    results: Folder = None,
    data: Folder = None,
    plugins: Plugins = (),
) -> pd.DataFrame:
    """Compare two backbones on every task, dataset and adaptation that both have records of.

    Args:
        metric: a metric, under every definition it has, or "definition/metric"; None for what
            the tasks report.
        suite: whose families p is corrected over, its baseline being a or b; None for the pair's
            own, where nothing is corrected.
        margin: of equivalence, in points; None for the suite's, if it has one.
        tasks, datasets, adaptations, results, data, plugins: as of `plan`.

    Returns:
        A row for each dataset, adaptation and metric, with the fields of
        `omnibench.stats.pair.Comparison`: means, difference a - b, its interval, p and verdict for
        new images and runs; beside them the test over runs on these test images. `equivalent` is
        None without a margin, and where it could not be tested.

    Raises:
        RequestError: a backbone has no finished record, or the two have nothing in common.
    """
    from omnibench.commands.comparing import Compared, Request
    from omnibench.stats.compare import as_frame

    filters = _filters(tasks, datasets, (), adaptations, ())
    request = Request(a, b, filters, metric, suite, margin)
    return as_frame(Compared.from_request(request, _session(results, data, plugins)).rows)


def load_encoder(
    backbone: str | BackboneCard,
    *,
    input_size: int = 224,
    normalization: Literal["backbone", "imagenet"] = "backbone",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    device: str = "auto",
    results: Folder = None,
    data: Folder = None,
    plugins: Plugins = (),
) -> "Encoder":
    """Return a backbone with its weights, in evaluation mode: `embed`, `tokens` and `maps`.

    Args:
        backbone: a registered one's id, or a card.
        input_size: to which images are resized, in pixels.
        precision: "auto" is what a run takes on this device.
        results, data, plugins: as of `plan`.

    Raises:
        RequestError: it is unknown, or does not take this size.
        WeightsError: its weights are absent, or do not fit.
    """
    from omnibench.catalogue import backbones
    from omnibench.device import checked_device
    from omnibench.encoders.build import load_encoder as load
    from omnibench.sources import Sources

    session = _session(results, data, plugins)
    card = backbones.get(backbone) if isinstance(backbone, str) else backbone
    card = Sources(session.data, session.results).completed(card)
    context = session.context(device)
    recipe = {
        "input_size": input_size,
        "normalization": normalization,
        "precision": context.precision if precision == "auto" else precision,
    }
    checked_device(context.device)
    return load(card, recipe, context.device, session.data, session.results).encoder


def _session(results: Folder, data: Folder, plugins: Plugins) -> Session:
    return Session.open(
        Places(
            tuple(Path(plugin) for plugin in plugins),
            None if results is None else Path(results),
            None if data is None else Path(data),
        )
    )


def _filters(
    tasks: Globs,
    datasets: Globs,
    backbones: Globs,
    adaptations: Globs,
    repetitions: Sequence[int],
) -> Filters:
    tasks, datasets, backbones, adaptations = (
        (globs,) if isinstance(globs, str) else tuple(globs)
        for globs in (tasks, datasets, backbones, adaptations)
    )
    return Filters(tasks, datasets, backbones, adaptations, tuple(repetitions))


def _computed(run: "Run") -> list[CellState]:
    """Compute a run; return the states of its cells."""
    from omnibench.commands.board import Board
    from omnibench.commands.progress import display

    board = Board.from_context(run.pending, run.context)
    with display(board, err=True) as shown, run.logged(None), _without_script():
        return run.ended(run.compute(shown))


def _cells(states: Sequence[CellState]) -> pd.DataFrame:
    rows = []
    for state in states:
        error = (state.record or {}).get("error") or {}
        rows.append({**state.as_dict(), "error": error.get("message", "")})
    return pd.DataFrame(rows)


@contextlib.contextmanager
def _without_script() -> Iterator[None]:
    """Keep processes that start in the block from running the caller's script once more.

    Python's `spawn` does that for what is defined in the script, of which a run needs nothing.
    """
    main: Any = sys.modules["__main__"]
    hidden = {name: main.__dict__[name] for name in ("__file__", "__spec__") if name in vars(main)}
    vars(main).pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        vars(main).update(hidden)
