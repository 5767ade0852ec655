"""What every command starts from: folders, plug-ins, the catalogue, a suite and its filters."""

import fnmatch
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.catalogue import backbones, load_plugin
from omnibench.context import Context, default_data, default_results
from omnibench.errors import RequestError
from omnibench.pretrained import register_recorded
from omnibench.terminal import echo

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.plan import Filters
    from omnibench.store import RecordStore
    from omnibench.suite import Suite


@dataclass(frozen=True)
class Places:
    """The options every command shares."""

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
        """The records of this results folder."""
        from omnibench.store import RecordStore

        return RecordStore(self.results)

    def context(self, device: str = "auto", **options: Any) -> Context:
        """A context on this machine's best device, or on the one named."""
        return Context(
            results=self.results,
            data=self.data,
            device=best_device() if device == "auto" else device,
            threads=usable_cores(),
            gpus=visible_gpus(),
            plugins=self.plugins,
            **options,
        )

    def suite(
        self, name: str, filters: "Filters | None" = None
    ) -> "tuple[Suite, tuple[Unit, ...]]":
        """A suite and the units that the filters leave.

        Backbones of a plug-in join the suite's own, and so does a registered one that
        `--backbones` names in full.
        """
        from omnibench.plan import Filters, select
        from omnibench.sources import Sources
        from omnibench.suite import load as load_suite

        filters = filters or Filters()
        named = tuple(name for name in filters.backbones if name in backbones)
        suite = load_suite(name, Sources(self.data, self.results), (*self.plugged, *named))
        return suite, select(suite, filters)


def usable_cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def best_device() -> str:
    """CUDA where an NVIDIA device is there, else the CPU; told without importing torch."""
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"


def visible_gpus() -> int:
    """NVIDIA devices that this process may use, told without importing torch."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return len([part for part in chosen.split(",") if part.strip() not in ("", "-1")])
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


def split_globs(values: Sequence[str] | None) -> tuple[str, ...]:
    """Options given several times or with commas, as one tuple."""
    return tuple(part for value in values or () for part in value.split(",") if part)


def parse_repetitions(text: str | None) -> tuple[int, ...]:
    """ "0,2" and "0-4" as numbers; None as none.

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


def checked_device(name: str) -> str:
    """The device asked for, known to torch; for commands that compute.

    Raises:
        RequestError: torch cannot use it.
    """
    if name == "cpu":
        return name
    import torch

    try:
        kind = torch.device(name).type
        if kind not in ("cpu", "cuda", "mps"):
            raise RuntimeError
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError):
        raise RequestError(
            f"--device: torch cannot use '{name}' on this machine; give --device cpu"
        ) from None
    return name


def echo_json(value: Any) -> None:
    """One JSON object on standard output."""
    echo(json.dumps(value, indent=1, allow_nan=False))


def columns(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> str:
    """Rows as aligned columns of plain text."""
    lines = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def matching(names: Iterable[str], globs: Sequence[str]) -> list[str]:
    """The names that one of the globs selects."""
    return [name for name in names if any(fnmatch.fnmatchcase(name, glob) for glob in globs)]
