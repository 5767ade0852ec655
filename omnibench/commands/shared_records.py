"""The finished records of two backbones that can be compared: of recipes both were run with."""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.record_files import complaint_about
from omnibench.states import Filters, matching
from omnibench.store import RecordStore

log = logging.getLogger("omnibench")
Records = list[tuple[Path, dict[str, Any]]]


def shared_records(store: RecordStore, a: str, b: str, filters: Filters) -> Records:
    """Return finished records of two backbones, of recipes that both were run with.

    Of several recipes of one dataset and adaptation, the one finished last is taken.
    """
    groups: dict[tuple[str, ...], dict[str, dict[str, Records]]] = {}
    for path, record in store.all():
        spec = record["spec"]
        if record["status"] != "done" or spec["backbone"] not in (a, b):
            continue
        adaptations = tasks.get(spec["task"]).adaptations if spec["task"] in tasks else {}
        if spec["adaptation"] not in adaptations:
            continue
        short = spec["short"]
        chosen = (
            (filters.tasks, (spec["task"],)),
            (filters.datasets, (spec["dataset"],)),
            (filters.adaptations, (short, spec["adaptation"])),
        )
        if not all(not globs or matching(names, globs) for globs, names in chosen):
            continue
        kind = {key: value for key, value in spec.items() if key not in ("backbone", "repetition")}
        variant = json.dumps([kind, record["digests"].get("source.dataset")], sort_keys=True)
        place = groups.setdefault((spec["task"], spec["dataset"], short), {})
        place.setdefault(variant, {}).setdefault(spec["backbone"], []).append((path, record))
    shared: Records = []
    for variants in groups.values():
        whole = [{name: _whole(some) for name, some in each.items()} for each in variants.values()]
        both = [records for records in whole if records.get(a) and records.get(b)]
        if both:
            newest = max(both, key=lambda records: _finished([*records[a], *records[b]]))
            shared += [*newest[a], *newest[b]]
    return shared


def _whole(records: Records) -> Records:
    """Leave out records of which a file is damaged or absent, and name them."""
    whole = []
    for path, record in records:
        if complaint := complaint_about(path, record):
            log.warning("%s; its cell is left out", complaint)
        else:
            whole.append((path, record))
    return whole


def _finished(records: Iterable[tuple[Path, dict[str, Any]]]) -> str:
    return max(str(record["finished"]) for _, record in records)
