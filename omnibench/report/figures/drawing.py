"""Figures: what they show, drawn once and kept as PDF, SVG and PNG under the digest of that."""

import io
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnibench import catalogue
from omnibench.cell import digest_of
from omnibench.errors import RequestError, StoreError
from omnibench.files import write_atomically
from omnibench.report.figures.svg import tidied
from omnibench.report.latent_picture import DIGEST, digest_in
from omnibench.report.table import Facets
from omnibench.report.words import failure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from omnibench.report.study import Study

DPI = 160
KINDS = ("pdf", "svg", "png")
FEWEST_A_PROCESS = 3  # drawings; a fork for fewer gains nothing
MOST_MARKS = 2000  # of a figure's lines as paths; more of them are pixels
VERSION = 3  # raised when a figure below draws the same otherwise
LEFT, WIDTH, ROW = 2.6, 7.2, 0.2  # inches: room for names, whole width, a line of text
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",  # texts, which are smaller than outlines and can be searched
    "text.parse_math": False,  # a $ in a name is a $
}


@dataclass(frozen=True)
class Drawing:
    """One figure to be drawn.

    Attributes:
        stem: of its files.
        size: width and height in inches.
        data: all that it shows, as plain values; floats are rounded to what can be seen.
        draw: puts it on an empty figure.
        folded: whether a page shows it on demand only.
        facets: facet -> the values that it is of, so that a page shows what a reader selects.
    """

    stem: str
    title: str
    alt: str
    caption: str
    size: tuple[float, float]
    data: Mapping[str, Any]
    draw: "Callable[[Canvas], None]"
    folded: bool = False
    facets: Facets = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """A kind of figure, as it is registered.

    Attributes:
        title: what it shows, for messages.
        drawings: what can be drawn of a study, where its data exist; nothing is drawn yet.
        place: in the report: a smaller one comes first.
    """

    name: str
    title: str
    drawings: "Callable[[Study], Iterable[Drawing]]"
    place: int = 100


Job = tuple[Figure, Drawing]
_jobs: list[Job] = []  # of a report being drawn, for the forks: drawings cannot be pickled


def check_figure(figure: Figure) -> None:
    """Refuse what is no figure.

    Raises:
        RequestError: naming file and member.
    """
    if not isinstance(figure, Figure):
        raise RequestError(f"a figure is {figure!r:.60}, where a Figure is due")
    if not callable(figure.drawings):
        raise RequestError(f"the figure '{figure.name}': `drawings` is no function of a study")


@dataclass(frozen=True)
class Figures:
    """The figures of one report.

    Attributes:
        drawings: those that lie as `stem`.pdf, .svg and .png in the figures' folder.
        paths: of these files.
        failures: a sentence for each registered figure that raised an error.
    """

    drawings: list[Drawing] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def draw_figures(study: "Study", folder: Path) -> Figures:
    """Draw every registered figure that a study has the data for, into a folder.

    Raises:
        StoreError: a file cannot be written.
    """
    figures = Figures()
    registered = []
    for name in catalogue.figures:
        try:
            registered.append(catalogue.figures.get(name))
        except RequestError as error:
            figures.failures.append(f"The figure '{name}' is left out: {error}")
    jobs: list[Job] = []
    for figure in sorted(registered, key=lambda figure: figure.place):
        try:
            jobs.extend((figure, drawing) for drawing in figure.drawings(study))
        except StoreError:
            raise
        except Exception as error:
            figures.failures.append(failure(f"figure '{figure.title}'", figure.drawings, error))
    for (_, drawing), sentence in zip(jobs, _written(jobs, folder), strict=True):
        if sentence:
            figures.failures.append(sentence)
        else:
            figures.paths.extend(_paths(drawing, folder))
            figures.drawings.append(drawing)
    return figures


def _written(jobs: "list[Job]", folder: Path) -> list[str]:
    """Write each drawing; return "", or the sentence on why it failed.

    Where many are due, forked processes share them: a fork has what the drawings are made of.
    """
    due = [job for job in jobs if not _is_written(job[1], folder)]
    processes = min(_processes(), len(due) // FEWEST_A_PROCESS)
    if processes < 2:
        return [_write(job, folder) for job in jobs]
    import matplotlib.figure  # once, before the forks  # noqa: F401

    _jobs[:] = due
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        sentences = pool.map(partial(_write_due, folder=folder), range(len(due)), chunksize=1)
    drawn = {id(job): sentence for job, sentence in zip(due, sentences, strict=True)}
    _jobs.clear()
    return [drawn.get(id(job), "") for job in jobs]


def _processes() -> int:
    """Return how many processes may draw: one where a fork is not safe, as beside threads."""
    if sys.platform != "linux" or "torch" in sys.modules or threading.active_count() > 1:
        return 1
    return len(os.sched_getaffinity(0))


def _write_due(index: int, folder: Path) -> str:
    return _write(_jobs[index], folder)


def _write(job: "Job", folder: Path) -> str:
    figure, drawing = job
    try:
        write(drawing, folder)
    except StoreError:
        raise
    except Exception as error:
        return failure(f"figure '{figure.title}'", figure.drawings, error)
    return ""


def write(drawing: Drawing, folder: Path) -> list[Path]:
    """Write `stem`.pdf, .svg and .png unless they show the same already; return their paths.

    Raises:
        StoreError: a file cannot be written.
    """
    paths = _paths(drawing, folder)
    if not _is_written(drawing, folder):
        for path, content in zip(paths, _render(drawing, _digest(drawing)), strict=True):
            write_atomically(path, content)  # the PNG last: it bears the digest
    return paths


def _paths(drawing: Drawing, folder: Path) -> list[Path]:
    return [folder / f"{drawing.stem}.{kind}" for kind in KINDS]


def _is_written(drawing: Drawing, folder: Path) -> bool:
    paths = _paths(drawing, folder)
    return digest_in(paths[-1]) == _digest(drawing) and all(path.is_file() for path in paths)


def _digest(drawing: Drawing) -> str:
    return digest_of(
        {
            "data": drawing.data,
            "size": list(drawing.size),
            "stem": drawing.stem,
            "version": VERSION,
        }
    )


def _render(drawing: Drawing, digest: str) -> list[bytes]:
    """PDF, SVG and PNG, by the canvases themselves: `savefig` would lay out once more for each."""
    import matplotlib.figure
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    style: Any = {**STYLE, "svg.hashsalt": digest}
    pdf, svg, png = io.BytesIO(), io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # of a name in another script
        figure = matplotlib.figure.Figure(drawing.size, dpi=DPI, layout="constrained")
        for_png: Any = FigureCanvasAgg(figure)  # its methods bear no types
        drawing.draw(figure)
        _rasterise(figure)
        for_png.print_png(png, metadata={DIGEST: digest})
        figure.set_layout_engine("none")  # once is enough for all files
        for_pdf: Any = FigureCanvasPdf(figure)
        for_pdf.print_pdf(pdf, metadata={"CreationDate": None})
        for_svg: Any = FigureCanvasSVG(figure)
        for_svg.print_svg(svg, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return [pdf.getvalue(), tidied(svg.getvalue()), png.getvalue()]


def _rasterise(figure: "Canvas") -> None:
    """Make pixels of lines whose marks are too many for a small file."""
    lines = [line for axes in figure.axes for line in axes.lines]
    if sum(np.size(line.get_xdata()) for line in lines) > MOST_MARKS:
        for line in lines:
            line.set_rasterized(True)


def legend(axes: "Axes | Canvas", columns: int = 3, **options: Any) -> None:
    """Put a frameless legend below a whole figure, or where `options` say."""
    where = {"loc": "outside lower center"} if not hasattr(axes, "get_xaxis") else {}
    if "labels" in options:
        options["labels"] = [shortened(text) for text in options["labels"]]
    axes.legend(**{"frameon": False, "ncols": columns, "fontsize": 7, **where, **options})


def row_axis(axes: "Axes", names: list[str]) -> None:
    """Give the y axis a name a row, the first on top."""
    axes.set_yticks(range(len(names)), [shortened(name, 64) for name in names], fontsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", alpha=0.3, linewidth=0.5)
    axes.set_axisbelow(True)


def shortened(text: str, most: int = 40) -> str:
    """Return a name that leaves room for what is drawn: start and end of a longer one."""
    half = most // 2
    return text if len(text) <= most else f"{text[: half - 1]}…{text[-half:]}"


def rounded(value: float, digits: int = 6) -> float:
    """Return a value without the digits that no eye can see, which differ between machines."""
    return round(float(value), digits)
