"""`bundle` and `merge`: records for someone else, and from someone else."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omnibench.bundles.archive import open_archive
from omnibench.bundles.merge import Merged, merge_archive, merge_folder
from omnibench.bundles.pack import pack
from omnibench.catalogue import backbones
from omnibench.report.words import counted, listed
from omnibench.session import Places, Session
from omnibench.states import states
from omnibench.store import check_writable
from omnibench.suite import find
from omnibench.terminal import echo, size
from omnibench.unregistered import Unregistered


def bundle(name: str, path: Path, places: Places) -> None:
    """Pack a suite's records into a file, and say what is in it."""
    session = Session.open(places)
    suite, units = session.suite(name)
    packed = pack(suite, find(name), states(units, session.store), session.store, path)
    kinds = listed([f"{count} {status}" for status, count in packed.records.items()])
    echo(
        f"{suite.name}: {counted(packed.records.total(), 'record')} ({kinds}), "
        f"{counted(packed.files, 'file')}, {size(path.stat().st_size)} in {path}"
    )
    if packed.newer:
        echo(f"left out: {counted(packed.newer, 'record')} of a newer omnibench")
    if suite.plugins:
        names = listed([plugin.name for plugin in suite.plugins])
        echo(f"not in it: the code of {names}, which belongs beside the suite's file")
    echo(
        "ids of patients are numbers in it, and no path of this machine is; captions, pictures and "
        "columns are as the records have them"
    )


def merge(sources: Iterable[Path], force: bool, places: Places) -> int:
    """Take in bundles and folders of results; returns the exit status: 1 where one was refused."""
    session = Session.open(places)
    check_writable(session.results)
    refused = 0
    for source in sources:
        if source.is_dir():
            merged = merge_folder(source, session.results, force)
        else:
            with open_archive(source) as archive:
                merged = merge_archive(archive, session.results, force)
        _show(source, merged)
        refused += len(merged.refusals)
    return int(refused > 0)


def _show(source: Path, merged: Merged) -> None:
    counts = merged.counts
    echo(
        f"{source}: {counted(counts.total(), 'record')}, {counts['taken in']} taken in, "
        f"{counts['there already']} there already, {counts['refused']} refused"
    )
    for sentence in merged.refusals:
        echo(f"refused: {sentence}", err=True)
    for lost in _unregistered(merged.records):
        echo(f"not registered: {lost}")
    for path in merged.suites:
        echo(f"its suite: {path}, as in `bench.py report {path}`")


def _unregistered(records: Iterable[Mapping[str, Any]]) -> list[Unregistered]:
    """Return the backbones that plug-ins registered where the records were made, and none here."""
    counts: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for record in records:
        spec, plugins = record["spec"], tuple(record["environment"].get("plugins", ()))
        built = record["digests"].get("source.backbone", "").startswith("builder:")
        if spec["backbone"] not in backbones and (plugins or built):
            counts[spec["task"], spec["dataset"], spec["backbone"], plugins] += 1
    return [
        Unregistered(task, dataset, backbone, count, plugins)
        for (task, dataset, backbone, plugins), count in counts.items()
    ]
