"""Pictures inside the page: what tasks leave beside their records."""

import base64
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

from omnibench.catalogue import tasks
from omnibench.report.table import Facets
from omnibench.report.words import counted
from omnibench.states import CellState
from omnibench.store import RecordStore

MOST, MOST_BYTES = 12, 600_000  # of all records together, as WebP
QUALITY = 80  # of WebP: letters and outlines stay sharp


@dataclass(frozen=True)
class Image:
    """A picture inside the page.

    Attributes:
        source: a `data:` address.
        alt: what it shows, for those who do not see it.
        svg: an `<svg>` element without a prolog, in place of a source.
        folded: whether it is shown on demand only.
        width: in pixels, at which its letters are as large as the page's; a narrower screen
            scrolls it. None: as wide as it is, or as the screen.
        facets: facet -> the values that it is of.
    """

    title: str
    source: str
    alt: str
    caption: str = ""
    folded: bool = False
    width: int | None = None
    svg: str = ""
    facets: Facets = field(default_factory=dict)


def data_address(path: Path) -> str:
    """Return a picture as WebP in an address that needs no file.

    Raises:
        OSError: it cannot be read as a picture.
    """
    return _address(_webp(path))


def _address(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode('ascii')}"


def _webp(path: Path) -> bytes:
    from PIL import Image as Picture

    content = io.BytesIO()
    with Picture.open(path) as picture:
        picture.convert("RGB").save(content, "WEBP", quality=QUALITY)
    return content.getvalue()


def record_pictures(states: Iterable[CellState], store: RecordStore) -> tuple[list[Image], str]:
    """Return the pictures beside done records, the first repetitions first, and what is left out.

    A task says what its pictures show, by their name: `pictures = {"overlay": "Overlay sheet: test
    images with the predicted outline"}`; any other is shown under its name.

    Args:
        states: of the suite's cells.
    """
    kinds: dict[str, list[tuple[CellState, Path]]] = {}
    for state in states:
        for path in _beside(state, store):
            kinds.setdefault(_kind(path), []).append((state, path))
    for pairs in kinds.values():
        # Every unit's first repetition goes before any other's second.
        pairs.sort(key=lambda pair: pair[0].cell.repetition)
    images: list[Image] = []
    left: list[Path] = []
    size = 0
    # The kinds take turns.
    for state, path in filter(None, chain.from_iterable(zip_longest(*kinds.values()))):
        try:
            content = _webp(path)
        except (OSError, ValueError):  # the latter of a picture of absurd size
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


def _beside(state: CellState, store: RecordStore) -> list[Path]:
    if state.state != "done" or state.record is None:
        return []
    record = store.path(state.cell)
    paths = [
        record.with_suffix(f".{name}") for name in state.record["files"] if name.endswith(".png")
    ]
    # A link may lead to a file that is no picture of this study.
    return [path for path in paths if os.path.isfile(path) and not path.is_symlink()]  # noqa: PTH113


def _image(state: CellState, path: Path, content: bytes) -> Image:
    unit, kind = state.cell.unit, _kind(path)
    text = tasks.get(unit.task).pictures.get(kind, kind.capitalize())
    name, _, shows = text.partition(": ")
    where = f"{unit.backbone.id}, {unit.short} on {unit.dataset.id}, "
    where += f"repetition {state.cell.repetition}"
    alt = f"{name} of {where}: {shows}." if shows else f"{name} of {where}."
    caption = f"{shows[:1].upper()}{shows[1:]}. " if shows else ""
    return Image(
        f"{name}: {where}",
        _address(content),
        alt,
        f"{caption}File: {path.name}.",
        folded=True,
        facets={
            "task": (unit.task,),
            "dataset": (unit.dataset.id,),
            "adaptation": (unit.short,),
        },
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
