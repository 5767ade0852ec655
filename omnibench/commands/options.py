"""The options that commands share, and how a command takes several of them as one value."""

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnibench.errors import RequestError

if TYPE_CHECKING:
    from omnibench.session import Places
    from omnibench.states import Filters

Globs = list[str] | None
Tasks = Annotated[Globs, typer.Option("--tasks", help="Only these tasks (globs, comma list).")]
Datasets = Annotated[Globs, typer.Option("--datasets", help="Only these datasets.")]
Adaptations = Annotated[Globs, typer.Option("--adaptations", help="Only these adaptations.")]
Repetitions = Annotated[
    str | None, typer.Option("--repetitions", help="Only these, as in 0,2 or 0-4.")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Datasets, weights, features (OMNIBENCH_DATA).")
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="CPU threads of all jobs together (OMP_NUM_THREADS, else cores)."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@dataclass(frozen=True)
class Options:
    """Marks a parameter of a command that is made from options.

    Attributes:
        make: takes the options, returns the parameter's value.
    """

    make: Callable[..., Any]


def spelled_out(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes the options of each parameter that is marked by `Options`."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[Callable[..., Any], list[str]]] = {}
    for parameter in inspect.signature(command).parameters.values():
        marks = getattr(parameter.annotation, "__metadata__", ())
        options = [parameter]
        for mark in marks:
            if isinstance(mark, Options):
                options = list(inspect.signature(mark.make).parameters.values())
                groups[parameter.name] = (mark.make, [option.name for option in options])
        parameters += options

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, (make, options) in groups.items():
            given[name] = make(**{option: given.pop(option) for option in options})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _places(
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", help="A Python file that registers more.")
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Records and reports (OMNIBENCH_RESULTS).")
    ] = None,
    data: Data = None,
) -> "Places":
    from omnibench.session import Places

    return Places(tuple(plugin or ()), results, data)


def _unit_filters(
    tasks: Tasks = None, datasets: Datasets = None, adaptations: Adaptations = None
) -> "Filters":
    return _filters(tasks, datasets, None, adaptations, None)


def _shown_filters(
    tasks: Tasks = None,
    datasets: Datasets = None,
    backbones: Annotated[
        Globs, typer.Option("--backbones", help="Only these backbones of the suite.")
    ] = None,
    adaptations: Adaptations = None,
    repetitions: Repetitions = None,
) -> "Filters":
    return _filters(tasks, datasets, backbones, adaptations, repetitions)


def _filters(
    tasks: Tasks = None,
    datasets: Datasets = None,
    backbones: Annotated[
        Globs,
        typer.Option("--backbones", help="Only these backbones; a registered one joins the suite."),
    ] = None,
    adaptations: Adaptations = None,
    repetitions: Repetitions = None,
) -> "Filters":
    from omnibench.states import Filters

    return Filters(
        tasks=split_globs(tasks),
        datasets=split_globs(datasets),
        backbones=split_globs(backbones),
        adaptations=split_globs(adaptations),
        repetitions=parse_repetitions(repetitions),
    )


@dataclass(frozen=True)
class RunOptions:
    """How a suite is run: the options of `run`, and what `omnibench.run` takes.

    Attributes:
        device: "auto" is the best one of the machines that compute.
    """

    engine: Annotated[str, typer.Option("--engine", help="local, ray or slurm.")] = "local"
    address: Annotated[
        str | None, typer.Option("--address", help="Of a running Ray cluster; else one is started.")
    ] = None
    profile: Annotated[
        Path | None, typer.Option("--profile", help="What a SLURM job asks for (YAML).")
    ] = None
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Units at a time; one a GPU, or one.")
    ] = None
    device: Device = "auto"
    threads: Threads = None
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=1, help="Of a unit, in seconds.")
    ] = None
    memory_limit: Annotated[
        float | None, typer.Option("--memory-limit", min=0.1, help="Of a unit, in GiB.")
    ] = None
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute failed cells again.")
    ] = False
    force: Annotated[bool, typer.Option("--force", help="Compute done cells again.")] = False
    max_failures: Annotated[
        int | None,
        typer.Option("--max-failures", min=0, help="Stop after more failed cells than these."),
    ] = None
    until_decided: Annotated[
        bool, typer.Option("--until-decided", help="Add repetitions until all is decided.")
    ] = False
    max_repetitions: Annotated[
        int | None, typer.Option("--max-repetitions", min=2, help="With --until-decided; 10.")
    ] = None
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show more messages; the log file has all.")
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show failures and the last line alone.")
    ] = False
    steal: Annotated[
        bool, typer.Option("--steal", help="Take over units of stopped (Ctrl-Z) runs here.")
    ] = False
    steal_from: Annotated[
        list[str] | None,
        typer.Option("--steal-from", help="Take over the units of a run, named PID@HOST."),
    ] = None


PlaceOptions = Annotated["Places", Options(_places)]
FilterOptions = Annotated["Filters", Options(_filters)]
ShownFilterOptions = Annotated["Filters", Options(_shown_filters)]
UnitFilterOptions = Annotated["Filters", Options(_unit_filters)]
RunningOptions = Annotated[RunOptions, Options(RunOptions)]


def split_globs(values: Sequence[str] | None) -> tuple[str, ...]:
    """Return what options given several times, or with commas, hold, as one tuple."""
    return tuple(part for value in values or () for part in value.split(",") if part)


def parse_repetitions(text: str | None) -> tuple[int, ...]:
    """Return the numbers of "0,2" or "0-4"; none of None.

    Raises:
        RequestError: anything else.
    """
    if text is None:
        return ()
    numbers: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise RequestError(f"--repetitions: '{text}' is not of the form 0,2 or 0-4")
        numbers.extend(range(first, last + 1))
    return tuple(numbers)
