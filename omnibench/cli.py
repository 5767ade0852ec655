"""The command line. Every import that costs time stands inside its command."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from omnibench.commands.session import Places
    from omnibench.plan import Filters

app = typer.Typer(
    name="omnibench",
    help="A benchmark and evaluation harness for vision backbones in radiology.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite, or a file.")]
Globs = list[str] | None
Tasks = Annotated[Globs, typer.Option("--tasks", help="Only these tasks (globs, comma list).")]
Datasets = Annotated[Globs, typer.Option("--datasets", help="Only these datasets.")]
Backbones = Annotated[
    Globs,
    typer.Option("--backbones", help="Only these backbones; a registered one joins the suite."),
]
Adaptations = Annotated[Globs, typer.Option("--adaptations", help="Only these adaptations.")]
Repetitions = Annotated[
    str | None, typer.Option("--repetitions", help="Only these, as in 0,2 or 0-4.")
]
Plugins = Annotated[
    list[Path] | None, typer.Option("--plugin", help="A Python file that registers more.")
]
Results = Annotated[
    Path | None, typer.Option("--results", help="Records and reports (OMNIBENCH_RESULTS).")
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Datasets, weights, features (OMNIBENCH_DATA).")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ...")]


def _places(plugin: list[Path] | None, results: Path | None, data: Path | None) -> "Places":
    from omnibench.commands.session import Places

    return Places(tuple(plugin or ()), results, data)


def _filters(
    tasks: Globs, datasets: Globs, backbones: Globs, adaptations: Globs, repetitions: str | None
) -> "Filters":
    from omnibench.commands.session import parse_repetitions, split_globs
    from omnibench.plan import Filters

    return Filters(
        split_globs(tasks),
        split_globs(datasets),
        split_globs(backbones),
        split_globs(adaptations),
        parse_repetitions(repetitions),
    )


@app.command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="backbones, datasets, tasks, adaptations, suites")],
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what is registered."""
    from omnibench.commands import listing

    listing.show(kind, _places(plugin, results, data), json)


@app.command()
def plan(
    suite: SuiteName,
    tasks: Tasks = None,
    datasets: Datasets = None,
    backbones: Backbones = None,
    adaptations: Adaptations = None,
    repetitions: Repetitions = None,
    device: Device = "auto",
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a suite's cells: what is done, what is blocked and why, time and disk."""
    from omnibench.commands import planning

    filters = _filters(tasks, datasets, backbones, adaptations, repetitions)
    planning.plan(suite, filters, _places(plugin, results, data), device, json)


@app.command()
def run(
    suite: SuiteName,
    tasks: Tasks = None,
    datasets: Datasets = None,
    backbones: Backbones = None,
    adaptations: Adaptations = None,
    repetitions: Repetitions = None,
    engine: Annotated[str, typer.Option("--engine", help="local, ray or slurm.")] = "local",
    address: Annotated[
        str | None, typer.Option("--address", help="Of a running Ray cluster; else one is started.")
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="What a SLURM job asks for (YAML).")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Units at a time; one a GPU, or one.")
    ] = None,
    device: Device = "auto",
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", min=1, help="Of a unit, in seconds.")
    ] = None,
    memory_limit: Annotated[
        float | None, typer.Option("--memory-limit", min=0.1, help="Of a unit, in GiB.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed")] = False,
    force: Annotated[bool, typer.Option("--force", help="Compute done cells again.")] = False,
    max_failures: Annotated[int | None, typer.Option("--max-failures", min=0)] = None,
    steal: Annotated[
        bool, typer.Option("--steal", help="Take over units of stopped (Ctrl-Z) runs here.")
    ] = False,
    steal_from: Annotated[
        list[str] | None,
        typer.Option("--steal-from", help="Take over the units of a run, named PID@HOST."),
    ] = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
) -> None:
    """Compute a suite's missing cells; the same command again goes on where it stopped."""
    from omnibench import leases
    from omnibench.commands import running

    filters = _filters(tasks, datasets, backbones, adaptations, repetitions)
    status = running.run(
        suite,
        filters,
        _places(plugin, results, data),
        engine=engine,
        address=address,
        profile=profile,
        device=device,
        retry_failed=retry_failed,
        force=force,
        max_failures=max_failures,
        steal=(*([leases.STOPPED] if steal else []), *(steal_from or [])),
        jobs=jobs,
        time_limit=time_limit,
        memory_limit=memory_limit,
    )
    raise typer.Exit(status)


@app.command()
def status(
    suite: SuiteName,
    tasks: Tasks = None,
    datasets: Datasets = None,
    backbones: Backbones = None,
    adaptations: Adaptations = None,
    repetitions: Repetitions = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show how far a suite is."""
    from omnibench.commands import planning

    filters = _filters(tasks, datasets, backbones, adaptations, repetitions)
    planning.status(suite, filters, _places(plugin, results, data), json)


@app.command()
def report(
    suite: SuiteName,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report.")] = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
) -> None:
    """Write a suite's tables (LaTeX, CSV, Markdown) and print them."""
    from omnibench.commands import reporting

    reporting.report(suite, out, _places(plugin, results, data))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(help="A backbone.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    metric: Annotated[
        str | None, typer.Option("--metric", help="As in macro-f1, or definition/metric.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Of equivalence, in points of the metric.")
    ] = None,
    tasks: Tasks = None,
    datasets: Datasets = None,
    adaptations: Adaptations = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Compare two backbones on every unit both have records of."""
    from omnibench.commands import comparing

    filters = _filters(tasks, datasets, None, adaptations, None)
    comparing.compare(a, b, metric, filters, _places(plugin, results, data), json, margin)


@app.command()
def power(
    suite: SuiteName,
    margin: Annotated[
        float, typer.Option("--margin", help="The difference that matters, in points.")
    ],
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say how many repetitions would decide between each backbone and the suite's baseline."""
    from omnibench.commands import powering

    powering.power(suite, margin, _places(plugin, results, data), json)


@app.command()
def audit(
    tables: Annotated[
        list[str], typer.Argument(metavar="CSV...", help="Files, folders or a shipped study.")
    ],
    margin: Annotated[
        float, typer.Option("--margin", help="Of equivalence, in points of the metric.")
    ] = 0.5,
    unrounded: Annotated[
        bool, typer.Option("--unrounded", help="GRIM: runs were averaged unrounded.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what published tables of means, stds and n can and cannot support."""
    from omnibench.commands import auditing

    auditing.audit(tables, margin, unrounded, json)


@app.command()
def rescore(
    suite: SuiteName, plugin: Plugins = None, results: Results = None, data: Data = None
) -> None:
    """Compute every metric definition again from stored predictions."""
    from omnibench.commands import reporting

    raise typer.Exit(reporting.rescore(suite, _places(plugin, results, data)))


@app.command("data")
def data_(
    action: Annotated[str, typer.Argument(help="list, fetch or verify")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Globs.")] = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List, fetch or verify datasets."""
    from omnibench.commands import stocking

    places = _places(plugin, results, data)
    raise typer.Exit(stocking.datasets(action, tuple(names or ()), places, json))


@app.command()
def weights(
    action: Annotated[str, typer.Argument(help="list or fetch")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Globs.")] = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List or fetch the backbones' weights."""
    from omnibench.commands import stocking

    places = _places(plugin, results, data)
    raise typer.Exit(stocking.backbone_weights(action, tuple(names or ()), places, json))


@app.command()
def cache(
    action: Annotated[str, typer.Argument(help="list or prune")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Globs.")] = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List or remove cached features."""
    from omnibench.commands import stocking

    stocking.cache(action, tuple(names or ()), _places(None, results, data), json)


@app.command()
def check(
    backbone: Annotated[str, typer.Argument(help="A registered backbone.")],
    for_author: Annotated[
        bool, typer.Option(help="Print what the model's author would be asked to confirm.")
    ] = False,
    device: Device = "auto",
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Hold a backbone to its card: shapes, tokens, maps, weights, determinism, precision."""
    from omnibench.commands import checking

    run = checking.ask_author if for_author else checking.check
    raise typer.Exit(run(backbone, _places(plugin, results, data), device, json))


@app.command()
def export(
    digest: Annotated[str, typer.Argument(help="Of a pretraining record, 8 digits at least.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    plugin: Plugins = None,
    results: Results = None,
) -> None:
    """Write a pretrained backbone as a folder that timm loads with local-dir:."""
    from omnibench.commands import exporting

    exporting.export(digest, folder, _places(plugin, results, None))


@app.command()
def doctor(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[SUITE|RESULTS]", help="A suite's needs, or a folder's damage."),
    ] = None,
    plugin: Plugins = None,
    results: Results = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Say what this machine has and lacks, or what is damaged in a results folder; with the fix."""
    from omnibench.commands import doctoring

    raise typer.Exit(doctoring.doctor(name, _places(plugin, results, data), json))


@app.command()
def speed(
    only: Annotated[list[str] | None, typer.Argument(metavar="[PART]...")] = None,
    device: Device = "auto",
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure this machine and omnibench on it, each figure with its ratio."""
    from omnibench.commands import measuring
    from omnibench.context import default_data, using_data

    with using_data(data or default_data()):  # where the rates are kept for `plan`
        measuring.measure(tuple(only or ()), device, json)


def main() -> None:
    """Run the command; an error made for people is one sentence and its exit status."""
    from omnibench.errors import OmnibenchError
    from omnibench.terminal import PrintableFormatter, echo

    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        app(prog_name="omnibench")
    except OmnibenchError as error:
        echo(f"error: {error}", err=True)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader of a pipe went away; leave nothing for the interpreter to flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
