"""The picture of a latent space: one panel a backbone, side by side, under one legend."""

import contextlib
import functools
import io
import logging
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cell import digest_of
from omnibench.files import plain, read_regular, write_atomically
from omnibench.report.latent import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

log = logging.getLogger("omnibench")

Points = NDArray[np.float32]
# A fixed start and one seed make it deterministic.
UMAP = {"n_neighbors": 15, "min_dist": 0.1, "metric": "cosine", "init": "pca", "random_state": 0}
# Raised when the code below draws the same otherwise.
PICTURE_VERSION = 1
DIGEST = "Description"  # the PNG's own field for it

PANELS_A_ROW, PANEL, TITLE, LINE = 4, 1.75, 0.3, 0.15  # inches
LETTER, HANDLE = 0.052, 0.25  # inches that a legend's entry takes
# Okabe & Ito 2008: colours that the colour-blind tell apart; the next eight classes are hollow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#F0E442")
MARKERS = "o^sDvPX*"
LAYERS = 20


def draw(
    space: Space, embeddings: Mapping[str, Points], titles: Mapping[str, str], stem: Path
) -> list[Path]:
    """Write `stem`.pdf and `stem`.png, unless they show the same already; return their paths.

    Colours are classes, or datasets where there are more classes than colours; markers are
    datasets.

    Args:
        embeddings: backbone -> [N, 2]; at least one.
        titles: backbone -> what stands over its panel.

    Raises:
        StoreError: a file cannot be written.
    """
    paths = [stem.with_suffix(".pdf"), stem.with_suffix(".png")]
    shown = [*embeddings.values(), space.labels, space.sources]
    digest = digest_of(
        {
            "arrays": [sha256(np.ascontiguousarray(array).data).hexdigest() for array in shown],
            "texts": [[titles[name] for name in embeddings], space.classes, list(space.images)],
            "version": PICTURE_VERSION,
        }
    )
    if not paths[0].is_file() or digest_in(paths[1]) != digest:
        for path, content in zip(paths, _render(space, embeddings, titles, digest), strict=True):
            write_atomically(path, content)
    return paths


def by_class(space: Space) -> bool:
    """Return whether there are colours enough for all classes."""
    return len(space.classes) <= 2 * len(COLOURS)


def digest_in(png: Path) -> str | None:
    """Return the digest of what a picture shows, as it was written into it; None without one."""
    from PIL import Image

    try:
        with Image.open(png) as image:
            return image.info.get(DIGEST)
    except OSError:
        return None


def _render(
    space: Space, embeddings: Mapping[str, Points], titles: Mapping[str, str], digest: str
) -> Iterator[bytes]:
    import matplotlib
    from matplotlib.figure import Figure

    handles = _handles(space)
    columns = min(PANELS_A_ROW, len(embeddings))
    rows = math.ceil(len(embeddings) / columns)
    longest = max(len(str(handle.get_label())) for handle in handles)
    width = max(columns * PANEL, LETTER * longest + HANDLE, 2 * PANEL)
    across = max(1, int(width / (LETTER * longest + HANDLE)))
    lines = math.ceil(len(handles) / across)
    with matplotlib.rc_context({"font.size": 7, "pdf.fonttype": 42, "axes.linewidth": 0.5}):
        figure = Figure(
            (width, rows * (PANEL + TITLE) + LINE * (lines + 0.5)), layout="constrained"
        )
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for backbone, axes in zip(embeddings, grid, strict=False):
            _panel(axes, space, embeddings[backbone])
            axes.set_title(titles[backbone], fontsize=7, pad=3).set_parse_math(False)
        for axes in grid[len(embeddings) :]:
            axes.set_axis_off()
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=across,
            frameon=False,
            handlelength=1.2,
            handletextpad=0.3,
            columnspacing=1.2,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
        for kind, facts in (("pdf", {"CreationDate": None}), ("png", {DIGEST: digest})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=300, metadata=facts)
            yield buffer.getvalue()


def _panel(axes: "Axes", space: Space, points: Points) -> None:
    """Draw points in a fixed random order, so that no class hides the others."""
    from matplotlib.colors import to_rgba

    kinds = space.labels if by_class(space) else space.sources
    colours = np.array([to_rgba(COLOURS[kind % len(COLOURS)], 0.7) for kind in kinds])
    faces = colours.copy()
    faces[kinds % (2 * len(COLOURS)) >= len(COLOURS), 3] = 0
    size = min(5, max(2.5, 6000 / len(points)))
    order = np.random.default_rng(0).permutation(len(points))
    for layer in np.array_split(order, LAYERS):
        for source in range(len(space.images)):
            some = layer[space.sources[layer] == source]
            axes.scatter(
                points[some, 0],
                points[some, 1],
                s=size,
                marker=MARKERS[source % len(MARKERS)],
                facecolors=faces[some],
                edgecolors=colours[some],
                linewidths=0.4,
                rasterized=True,
            )
    axes.margins(0.03)
    axes.set(xticks=[], yticks=[], box_aspect=1)
    axes.set_aspect("equal", adjustable="datalim")


def _handles(space: Space) -> "list[Line2D]":
    """Return the legend's entries: classes with their dataset's marker, or datasets."""
    from matplotlib.lines import Line2D

    datasets = list(space.images)
    names = space.classes if by_class(space) else tuple(datasets)
    handles = []
    for kind, name in enumerate(names):
        source = space.sources[space.labels == kind][0] if by_class(space) else kind
        colour = COLOURS[kind % len(COLOURS)]
        hollow = kind % (2 * len(COLOURS)) >= len(COLOURS)
        handles.append(
            Line2D(
                [],
                [],
                linestyle="",
                marker=MARKERS[source % len(MARKERS)],
                markersize=4,
                color=colour,
                markerfacecolor="none" if hollow else colour,
                label=name,
            )
        )
    return handles


class Embeddings:
    """Embeddings of one report.

    Args:
        path: an npz file; absent or damaged, everything is computed again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _read(path)

    def points(self, features: NDArray[np.float32]) -> Points:
        """Return the UMAP of features [N, D], N > 15, as [N, 2]; without umap if it is kept.

        Raises:
            StoreError: the file cannot be written.
        """
        made_from = {
            "features": sha256(np.ascontiguousarray(features).data).hexdigest(),
            "shape": list(features.shape),
            "umap": {**UMAP, "version": version("umap-learn")},
        }
        digest = digest_of(made_from)
        if digest not in self._known:
            self._known[digest] = _umap(features)
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **self._known)
            write_atomically(self.path, buffer.getvalue())
        return self._known[digest]


def _read(path: Path) -> dict[str, Points]:
    try:
        with np.load(io.BytesIO(read_regular(plain(path))), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception:  # absent, or zipfile, zlib and numpy each raise their own
        return {}


def _umap(features: NDArray[np.float32]) -> Points:
    log.info("UMAP of %d images; the first one on a machine takes longer", len(features))
    umap = _import_umap()
    return np.asarray(umap.UMAP(n_jobs=1, **UMAP).fit_transform(features), np.float32)


@functools.cache
def _import_umap() -> ModuleType:
    """Import umap, whose compiled functions are kept for the next process.

    Numba compiles most of them anew in each process otherwise, which takes ten times as long as
    what they compute; the numbers are the same in every bit.
    """
    modules: dict[str, Any] = sys.modules
    # What `import umap` would load TensorFlow, Keras and torch for, where they are installed.
    modules["umap.parametric_umap"] = None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        import umap
        from numba.core.registry import CPUDispatcher
        from umap import layouts, umap_, utils
    del modules["umap.parametric_umap"]
    for module in (layouts, umap_, utils):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                with contextlib.suppress(RuntimeError):  # no folder can be written
                    function.enable_caching()
    loaded: ModuleType = umap
    return loaded
