"""The command line. Every import that costs time stands inside its command."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from omnibench.commands.options import (
    Data,
    Device,
    FilterOptions,
    Json,
    PlaceOptions,
    RunningOptions,
    ShownFilterOptions,
    Threads,
    UnitFilterOptions,
    spelled_out,
)

app = typer.Typer(
    name="omnibench",
    help="A benchmark and evaluation harness for vision backbones in radiology.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="A shipped suite, or a file.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Globs.")]


def _command(
    name: str | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a command, with the options that it shares with others spelled out."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        return app.command(name)(spelled_out(command))

    return add


def _show_version(wanted: bool) -> None:
    if wanted:
        from omnibench.commands.version import versions

        typer.echo("\n".join(versions()))
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


@_command("list")
def list_(
    kind: Annotated[str, typer.Argument(help="backbones, datasets, tasks, adaptations, suites")],
    places: PlaceOptions,
    json: Json = False,
) -> None:
    """Show what is registered."""
    from omnibench.commands import listing

    listing.show(kind, places, json)


@_command()
def plan(
    suite: SuiteName,
    filters: FilterOptions,
    places: PlaceOptions,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Show a suite's cells: what is done, what is blocked and why, time and disk."""
    from omnibench.commands import planning

    planning.plan(suite, filters, places, device, json)


@_command()
def run(
    suite: SuiteName, filters: FilterOptions, options: RunningOptions, places: PlaceOptions
) -> None:
    """Compute a suite's missing cells; the same command again goes on where it stopped."""
    from omnibench.commands import running

    raise typer.Exit(running.run(suite, filters, places, options))


@_command()
def status(
    suite: SuiteName,
    filters: FilterOptions,
    places: PlaceOptions,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again every 5 s, until nobody works on it.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how far a suite is, and who works on it."""
    from omnibench.commands import planning

    if watch and not json:
        planning.watch(suite, filters, places)
        return
    planning.status(suite, filters, places, json)


@_command()
def report(
    suite: SuiteName,
    filters: ShownFilterOptions,
    places: PlaceOptions,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the report.")] = None,
    open_page: Annotated[
        bool, typer.Option("--open", help="Show the page in a browser, where there is one.")
    ] = False,
) -> None:
    """Write a suite's tables (LaTeX, CSV, Markdown) and print them."""
    from omnibench.commands import reporting

    reporting.report(suite, out, places, filters, open_page)


@_command()
def compare(
    a: Annotated[str, typer.Argument(help="A backbone.")],
    b: Annotated[str, typer.Argument(help="Another one.")],
    filters: UnitFilterOptions,
    places: PlaceOptions,
    metric: Annotated[
        str | None, typer.Option("--metric", help="As in macro-f1, or definition/metric.")
    ] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="Take p from the families of this suite.")
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", help="Of equivalence, in points of the metric.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare two backbones on every unit both have records of."""
    from omnibench.commands import comparing

    comparing.compare(comparing.Request(a, b, filters, metric, suite, margin), places, json)


@_command()
def power(
    suite: SuiteName,
    margin: Annotated[
        float, typer.Option("--margin", help="The difference that matters, in points.")
    ],
    places: PlaceOptions,
    json: Json = False,
) -> None:
    """Say how many repetitions or test images would decide against the suite's baseline."""
    from omnibench.commands import powering

    powering.power(suite, margin, places, json)


@_command()
def audit(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Files, folders of CSVs or a shipped study."),
    ],
    margin: Annotated[
        float, typer.Option("--margin", help="Of equivalence, in points of the metric.")
    ] = 0.5,
    unrounded: Annotated[
        bool, typer.Option("--unrounded", help="GRIM: runs were averaged unrounded.")
    ] = False,
    against: Annotated[
        str, typer.Option("--against", metavar="MODEL", help="Compare each other model with it.")
    ] = "",
    own: Annotated[
        list[str] | None,
        typer.Option("--own", metavar="MODEL", help="Glob of the study's own models; repeated."),
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", help="Repetitions, where the table does not say.")
    ] = None,
    test_images: Annotated[
        list[str] | None,
        typer.Option(
            "--test-images", metavar="[DATASET=]N", help="Test images, if the table is silent."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", help="What the numbers are, if the table is silent.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="percent or fraction, if the table is silent.")
    ] = None,
    spread: Annotated[
        str | None, typer.Option("--spread", help="What stands behind ±: std, se or ci.")
    ] = None,
    json: Json = False,
) -> None:
    """Say what published tables can and cannot support: CSV, Markdown, LaTeX, as pasted."""
    from omnibench.audit.facts import Facts
    from omnibench.commands import auditing

    facts = Facts.from_options(n, test_images or (), own or (), metric, unit, spread)
    auditing.audit(tables, margin, unrounded, against, facts, json)


@_command()
def rescore(suite: SuiteName, places: PlaceOptions) -> None:
    """Compute every metric definition again from stored predictions."""
    from omnibench.commands import reporting

    raise typer.Exit(reporting.rescore(suite, places))


@_command()
def bundle(
    suite: SuiteName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The archive (zip) to write.")],
    places: PlaceOptions,
) -> None:
    """Pack a suite's records for someone else, without patients' ids and paths."""
    from omnibench.commands import sharing

    sharing.bundle(suite, file, places)


@_command()
def merge(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Bundles, or folders of results.")
    ],
    places: PlaceOptions,
    force: Annotated[
        bool, typer.Option("--force", help="Replace done records of the same cells that differ.")
    ] = False,
) -> None:
    """Take in records from someone else; each file is checked, no done record is replaced."""
    from omnibench.commands import sharing

    raise typer.Exit(sharing.merge(sources, force, places))


@_command("data")
def data_(
    action: Annotated[str, typer.Argument(help="list, fetch, verify or audit")],
    places: PlaceOptions,
    names: Names = None,
    json: Json = False,
) -> None:
    """List, fetch or verify datasets, or audit them by what is stored of them."""
    from omnibench.commands import auditing_data, stocking

    if action == "audit":
        auditing_data.audit(tuple(names or ()), places, json)
        return
    raise typer.Exit(stocking.datasets(action, tuple(names or ()), places, json))


@_command()
def weights(
    action: Annotated[str, typer.Argument(help="list or fetch")],
    places: PlaceOptions,
    names: Names = None,
    json: Json = False,
) -> None:
    """List or fetch the backbones' weights."""
    from omnibench.commands import stocking

    raise typer.Exit(stocking.backbone_weights(action, tuple(names or ()), places, json))


@_command()
def cache(
    action: Annotated[str, typer.Argument(help="list or prune")],
    places: PlaceOptions,
    names: Annotated[list[str] | None, typer.Argument(metavar="[ENTRY]...", help="Globs.")] = None,
    json: Json = False,
) -> None:
    """List or remove cached features."""
    from omnibench.commands import caching, stocking

    stocking.check_action(action, ("list", "prune"), "cache")
    if action == "list":
        caching.list_cache(tuple(names or ()), places, json)
    else:
        caching.prune(tuple(names or ()), places)


@_command()
def check(
    backbone: Annotated[str, typer.Argument(help="A registered backbone.")],
    places: PlaceOptions,
    for_author: Annotated[
        bool, typer.Option(help="Print what the model's author would be asked to confirm.")
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Hold a backbone to its card: shapes, tokens, maps, weights, determinism, precision."""
    from omnibench.commands import checking

    command = checking.ask_author if for_author else checking.check
    raise typer.Exit(command(backbone, places, device, threads, json))


@_command()
def export(
    digest: Annotated[
        str, typer.Argument(help="Of a record that left or kept weights, 8 digits at least.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    places: PlaceOptions,
    form: Annotated[
        str,
        typer.Option("--format", help="timm (loads with local-dir:), onnx, or one of a plug-in."),
    ] = "timm",
) -> None:
    """Write a pretrained backbone, or what a cell trained, as a folder that others load."""
    from omnibench.commands import exporting

    exporting.export(digest, folder, form, places)


@_command()
def new(
    kind: Annotated[str, typer.Argument(help="adaptation, dataset or task")],
    name: Annotated[str, typer.Argument(help="As suites will call it, as in my-adapter.")],
    places: PlaceOptions,
) -> None:
    """Write a package of your own that runs as it is: registration, suite and test."""
    from omnibench.commands import starting

    starting.start(kind, name, places)


@_command()
def doctor(
    places: PlaceOptions,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[SUITE|RESULTS]", help="A suite's needs, or a folder's damage."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what this machine has and lacks, or what is damaged in a results folder; with the fix."""
    from omnibench.commands import checking

    raise typer.Exit(checking.doctor(name, places, json))


@_command()
def speed(
    only: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help="Only these; else all.")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Measure this machine and omnibench on it, each figure with its ratio."""
    from omnibench.commands import measuring
    from omnibench.context import default_data, using_data

    with using_data(data or default_data()):  # where the rates are kept for `plan`
        measuring.measure(tuple(only or ()), device, threads, json)


def main() -> None:
    """Run the command; an error made for people is one sentence and its exit status."""
    from omnibench.device import wait_asleep
    from omnibench.errors import OmnibenchError
    from omnibench.terminal import PrintableFormatter, echo

    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    wait_asleep()
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
