"""`cache`: the features that are kept, and forgetting them."""

import contextlib
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omnibench import catalogue
from omnibench.commands.stored_weights import weight_sizes
from omnibench.data import sources as data_sources
from omnibench.errors import OmnibenchError, RequestError
from omnibench.features import entries
from omnibench.session import Places, Session
from omnibench.sources import Sources
from omnibench.states import matching
from omnibench.terminal import columns, duration, echo, echo_json, size

SHORT = 8  # digits of an entry's name, or of a source digest, that a person reads
Known = Mapping[tuple[str, str], str]  # (kind of thing, source digest) -> its name
HEADER = ("entry", "backbone", "dataset", "split", "kind", "rows", "size", "age")


def list_cache(names: tuple[str, ...], places: Places, as_json: bool) -> None:
    """Print the entries of these names, or all: what they hold, how large and how old they are."""
    session = Session.open(places)
    rows = _chosen(names, session)
    known = _names(rows, session)
    if as_json:
        echo_json([_as_dict(row, known) for row in rows])
        return
    if weights := weight_sizes(session.results):
        echo(
            f"weights of {len(weights)} cell{'s' * (len(weights) > 1)} are kept beside their "
            f"records in {session.results}: {size(sum(weights))}"
        )
    if not rows:
        echo(f"no features are kept in {session.data / 'features'}")
        return
    echo(columns([_words(row, known) for row in rows], HEADER))
    incomplete = sum(not row["complete"] for row in rows)
    tail = f"; {incomplete} not finished" if incomplete else ""
    echo(f"{_count(rows)}, {size(sum(row['bytes'] for row in rows))}{tail}")


def prune(names: tuple[str, ...], places: Places) -> None:
    """Remove the entries of these names, or all."""
    session = Session.open(places)
    rows = _chosen(names, session)
    for row in rows:
        folder = session.data / "features" / row["entry"]
        if folder.is_symlink():
            folder.unlink()  # what it names is not ours to remove
        else:
            shutil.rmtree(folder)
    echo(f"{_count(rows)} removed, {size(sum(row['bytes'] for row in rows))} freed")


def _chosen(names: tuple[str, ...], session: Session) -> list[dict[str, Any]]:
    """Return the entries whose name begins as one of these, which may be globs.

    Raises:
        RequestError: there are none.
    """
    rows = entries(session.data / "features")
    if not names:
        return rows
    chosen = set(matching([row["entry"] for row in rows], [f"{name}*" for name in names]))
    if not chosen:
        raise RequestError(f"no cached entry is called {', '.join(names)}; see `cache list`")
    return [row for row in rows if row["entry"] in chosen]


def _count(rows: Sequence[object]) -> str:
    return f"{len(rows)} {'entry' if len(rows) == 1 else 'entries'}"


def _names(rows: Iterable[Mapping[str, Any]], session: Session) -> Known:
    """Return the registered names of what entries that hold no names were made of."""
    nameless = [row["key"].get("sources", {}) for row in rows if not row["key"].get("names")]
    if not nameless:
        return {}
    own = Sources(session.data, session.results)
    known: dict[tuple[str, str], str] = {}
    for name in catalogue.backbones:
        digest = own.of_backbone(catalogue.backbones.get(name))[0]
        known.setdefault(("backbone", digest), name)
    for name in catalogue.datasets:
        with contextlib.suppress(OmnibenchError):  # of what is not here, or damaged
            digest = data_sources.source_digest(catalogue.datasets.get(name), session.data)
            known.setdefault(("dataset", digest), name)
    return known


def _name(row: Mapping[str, Any], kind: str, known: Known) -> str:
    digest = str(row["key"].get("sources", {}).get(kind, ""))
    names = row["key"].get("names", {})
    return str(names[kind]) if kind in names else known.get((kind, digest), digest)


def _as_dict(row: Mapping[str, Any], known: Known) -> dict[str, Any]:
    return {
        "entry": row["entry"],
        "backbone": _name(row, "backbone", known),
        "dataset": _name(row, "dataset", known),
        "sources": row["key"].get("sources", {}),
        "split": row["key"].get("split"),
        "kind": row["key"].get("kind"),
        "complete": row["complete"],
        "rows": row["rows"],
        "MB": round(row["bytes"] / 1e6, 2),
        "days_old": round((time.time() - row["modified"]) / 86400, 1),
    }


def _words(row: Mapping[str, Any], known: Known) -> tuple[str, ...]:
    backbone, dataset = (_shortened(_name(row, kind, known)) for kind in ("backbone", "dataset"))
    split, kind = (str(row["key"].get(name) or "-") for name in ("split", "kind"))
    rows = str(row["rows"]) + ("" if row["complete"] else ", not finished")
    age = duration(max(0.0, time.time() - row["modified"]))
    return (row["entry"][:SHORT], backbone, dataset, split, kind, rows, size(row["bytes"]), age)


def _shortened(name: str) -> str:
    """Return a name; of a source digest that nothing here has, its first digits."""
    digest = name.partition(" {")[0]
    digits = digest.rpartition(":")[2]
    return f"{digits[:SHORT]}..." if len(digits) >= 40 else digest or "-"
