"""Exporters: each writes the weights that a cell left in a format of others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from omnibench.errors import RequestError
from omnibench.registry import Registry


class Exporter(Protocol):
    """Writes what a cell has made: a plain function."""

    def __call__(self, record: Mapping[str, Any], weights: Path, folder: Path) -> str:
        """Write a folder that others load; returns how they do, for people.

        Args:
            record: of the cell, with its `path`; where it left a backbone its notes tell
                `architecture`, `model_args`, `mean`, `std` and `images` (dataset -> how many it has
                seen).
            weights: a safetensors file, as the training left it: of a backbone; or, where its name
                ends in `record_files.WEIGHTS`, what `trained_network.network_of` makes a network
                of.
            folder: empty, or yet to be made.
        """
        ...


def _check(exporter: Exporter) -> None:
    """Be sure that an exporter can be called.

    Raises:
        RequestError: it cannot.
    """
    if not callable(exporter):
        raise RequestError(
            f"an exporter is a function export(record, weights, folder), not {exporter!r}"
        )


exporters: Registry[Exporter] = Registry("export format", "omnibench.exporters", _check)


def register_exporter(name: str, exporter: Exporter) -> Exporter:
    """Make a format known, so that `export --format NAME` writes it.

    Raises:
        RequestError: the name is taken, or it is no function.
    """
    exporters.add(name, exporter)
    return exporter
