"""Pictures inside the page: what lies beside records, and what the report drew."""

import base64
import os
from collections.abc import Iterable
from itertools import chain, zip_longest
from pathlib import Path

from omnibench.report.page.grid import Image
from omnibench.report.page.words import counted
from omnibench.states import CellState
from omnibench.store import RecordStore

MOST, MOST_BYTES = 16, 3_000_000  # of all records together
KINDS = {
    "overlay": (
        "Overlay sheet",
        "test images with the predicted outline laid over the reference: green correct, blue "
        "over-predicted, red missed",
    ),
    "captions": ("Caption sheet", "test images, each with its reference and generated captions"),
    "curves": ("Pretraining curves", "loss, teacher entropy, feature rank and kNN over steps"),
}


def data_address(png: bytes) -> str:
    """Return a PNG as an address that needs no file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def record_pictures(states: Iterable[CellState], store: RecordStore) -> tuple[list[Image], str]:
    """Return the pictures beside done records, the first repetitions first, and what is left out.

    Args:
        states: of the suite's cells.
    """
    found = [
        (state, picture)
        for state in states
        if state.state == "done"
        for picture in _beside(store.path(state.cell))
    ]
    # Every unit's first repetition goes before any other's second, and the kinds take turns.
    found.sort(key=lambda pair: pair[0].cell.repetition)
    kinds = ([pair for pair in found if _kind(pair[1]) == kind] for kind in KINDS)
    images: list[Image] = []
    left: list[Path] = []
    size = 0
    for state, path in filter(None, chain.from_iterable(zip_longest(*kinds))):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if len(images) >= MOST or size + len(content) > MOST_BYTES:
            left.append(path)
            continue
        size += len(content)
        images.append(_image(state, path, content))
    images.sort(key=lambda image: image.title.partition(":")[0])
    return images, _left_out(left, store)


def _kind(path: Path) -> str:
    return path.name.split(".")[-2]


def _beside(record: Path) -> list[Path]:
    return [
        path
        for kind in KINDS
        # A link may lead to a file that is no picture of this study.
        if os.path.isfile(path := record.with_suffix(f".{kind}.png"))  # noqa: PTH113
        and not path.is_symlink()
    ]


def _image(state: CellState, path: Path, content: bytes) -> Image:
    unit = state.cell.unit
    name, shows = KINDS[_kind(path)]
    where = f"{unit.backbone.id}, {unit.short} on {unit.dataset.id}, "
    where += f"repetition {state.cell.repetition}"
    return Image(
        f"{name}: {where}",
        data_address(content),
        f"{name} of {where}: {shows}.",
        f"{shows[:1].upper()}{shows[1:]}. File: {path.name}.",
        folded=True,
    )


def _left_out(left: list[Path], store: RecordStore) -> str:
    if not left:
        return ""
    folders = sorted({path.parent.relative_to(store.root.parent).as_posix() for path in left})
    shown = ", ".join(folders[:6]) + (f" and {len(folders) - 6} more" if len(folders) > 6 else "")
    verb = "lies" if len(left) == 1 else "lie"
    return (
        f"{counted(len(left), 'more picture')} {verb} beside the records, to keep this page light: "
        f"in the results folder, below {shown}."
    )
