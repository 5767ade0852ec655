"""Decision curves: the net benefit of each model over thresholds, and its band."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import Drawing, Figure, legend, rounded
from omnibench.report.figures.looks import Looks
from omnibench.report.figures.panels import grid_of, panels
from omnibench.report.stored_units import Model, Models, StoredUnits, some_models
from omnibench.report.study import Study
from omnibench.stats.calibration import patients_of, probabilities
from omnibench.stats.decision_curves import Curve, net_benefit, thresholds, treat_all
from omnibench.stats.influence import Bools
from omnibench.stats.result import Floats, RefusedError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS, PANEL = 3, 2.8  # panels a row, and their inches
BELOW = -0.25  # of the prevalence: where the net benefit is cut


def decision_curves(study: Study) -> Iterator[Drawing]:
    """Yield a figure for each dataset of two classes, where the suite wants them."""
    if study.decision_curves is None:
        return
    at = thresholds(*study.decision_curves)
    for units, models, omitted in some_models(study):
        logits = next(iter(models.values())).logits
        assert logits is not None
        if logits.multi_label or logits.values.shape[2] != 2:
            continue
        positive = logits.labels == 1
        curves, left = _curves(models, positive, at)
        if curves:
            yield _drawing(
                study.looks, units, curves, float(positive.mean()), at, f"{left}{omitted}"
            )


def _curves(models: Models, positive: Bools, at: Floats) -> tuple[dict[Model, Curve], str]:
    """Return each model's net benefit, and what a caption says of those that have none."""
    curves, left = {}, ""
    for model, cases in models.items():
        assert cases.logits is not None
        try:
            shares = probabilities(cases.logits, 1)
            curves[model] = net_benefit(shares, positive, patients_of(cases), at)
        except RefusedError as reason:
            left += f" {' with '.join(model)} is left out: {reason}."
    return curves, left


def _drawing(
    looks: Looks,
    units: StoredUnits,
    curves: dict[Model, Curve],
    prevalence: float,
    at: Floats,
    omitted: str,
) -> Drawing:
    everyone = treat_all(prevalence, at)
    backbones = list(dict.fromkeys(backbone for backbone, _ in curves))
    adaptations = list(dict.fromkeys(adaptation for _, adaptation in curves))
    down, across = grid_of(len(adaptations), ACROSS)
    name = units.names(2)[1]

    def draw(figure: "Canvas") -> None:
        x, y = "threshold probability", "net benefit"
        grid = panels(figure, len(adaptations), ACROSS, x, y, sharex=True, sharey=True)
        for axes, adaptation in zip(grid, adaptations, strict=True):
            axes.axhline(0, color="0.3", linewidth=0.8)
            axes.plot(at, everyone, "--", color="0.5", linewidth=0.9)
            for (backbone, short), curve in curves.items():
                if short == adaptation:
                    _plot(axes, curve, at, looks.style(backbone))
            low = BELOW * prevalence
            axes.set(
                title=adaptation,
                xlim=(at[0], at[-1]),
                ylim=(low, max(1.1 * prevalence, low + 0.01)),
            )
            axes.grid(alpha=0.3, linewidth=0.5)
        legend(figure, handles=looks.keys(grid[0], backbones), labels=backbones)

    values = {
        " · ".join(model): [[rounded(x) for x in part] for part in (c.benefit, c.low, c.high)]
        for model, c in curves.items()
    }
    middle = len(at) // 2
    return Drawing(
        stem=f"decision-curves-{units.task}-{units.dataset.id}",
        title=f"Decision curves: {units.dataset.id}",
        alt=f"Net benefit on {units.dataset.id} over thresholds. At {at[middle]:.2f}: acting on "
        f"all cases {everyone[middle]:.3f}; "
        + "; ".join(f"{model} {lines[0][middle]:.3f}" for model, lines in values.items())
        + ".",
        caption="Net benefit (Vickers & Elkin 2006): true positives less false positives, these "
        "weighted by t / (1 - t), as shares of all cases, where a case is acted on if its "
        f"probability of {name} reaches the threshold t; the mean over repetitions. Bands: 95 % "
        "intervals over patients (cases where patients are unknown), at each threshold by "
        f"itself. Dashed: acting on all cases; the line at 0: on none. {name} has a share of "
        f"{prevalence:.3f} here, and net benefit holds for populations of that share. The y axis "
        f"is cut below.{omitted}",
        size=(max(4.5, PANEL * across), PANEL * down + 0.2 + 0.15 * len(backbones)),
        data={
            "at": [rounded(t) for t in at],
            "curves": list(values.items()),
            "all": prevalence,
            "looks": looks.places(backbones),
        },
        draw=draw,
        facets={"task": (units.task,), "dataset": (units.dataset.id,)},
    )


def _plot(axes: "Axes", curve: Curve, at: Floats, look: Mapping[str, Any]) -> None:
    axes.fill_between(at, curve.low, curve.high, color=look["color"], alpha=0.12, linewidth=0)
    axes.plot(at, curve.benefit, markersize=4, markevery=9, linewidth=1.1, **look)


FIGURE = Figure("decision-curves", "Decision curves", decision_curves, place=54)
