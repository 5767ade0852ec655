"""The course of a pretraining as one picture."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Six panels: the title of each, and the numbers that it shows.
Panels = tuple[tuple[str, tuple[str, ...]], ...]


def draw_curves(course: Mapping[str, NDArray[Any]], title: str, panels: Panels) -> bytes:
    """Return a PNG of the arrays that `course_of` gives, against the step."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (label, names) in zip(figure.subplots(2, 3).flat, panels, strict=True):
        for name in names:
            there = ~np.isnan(course[name])
            axes.plot(
                course["step"][there],
                course[name][there],
                marker="." if there.sum() < 30 else None,
                label=name.replace("_", " "),
            )
        axes.set_title(label, fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize=8, frameon=False)
    figure.suptitle(title.replace("$", r"\$"), fontsize=10)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": None})
    return stream.getvalue()
