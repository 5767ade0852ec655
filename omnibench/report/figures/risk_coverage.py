"""Risk-coverage curves: the errors left among accepted cases, and what a model spares another."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnibench.report.figures.drawing import Drawing, Figure, legend, rounded
from omnibench.report.figures.panels import grid_of, panels
from omnibench.report.stored_units import Model, Models, StoredUnits, some_models
from omnibench.report.study import Study
from omnibench.stats.cases import Cases, refuse_other_cases
from omnibench.stats.result import Floats, RefusedError
from omnibench.stats.risk_coverage import COVERAGES, Curve, Decisions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ACROSS, PANEL = 3, 2.8  # panels a row, and their inches
AT = [coverage / 100 for coverage in COVERAGES]


def risk_coverage(study: Study) -> Iterator[Drawing]:
    """Yield a figure for each dataset whose models stored logits."""
    for units, models, omitted in some_models(study):
        curves, left = _curves(models)
        if curves:
            yield _drawing(study, units, models, curves, f"{left}{omitted}")


def _curves(models: Models) -> tuple[dict[Model, Curve], str]:
    """Return each model's curve, and what a caption says of those that have none."""
    curves, left = {}, ""
    first: Cases | None = None
    for model, cases in models.items():
        assert cases.logits is not None
        try:
            first = first or cases
            refuse_other_cases(first, cases, "the models")
            curves[model] = Decisions.from_logits(cases.logits).curve(cases)
        except RefusedError as reason:
            left += f" {' with '.join(model)} is left out: {reason}."
    return curves, left


def _drawing(
    study: Study,
    units: StoredUnits,
    models: Models,
    curves: dict[Model, Curve],
    omitted: str,
) -> Drawing:
    looks, base = study.looks, study.baseline
    backbones = list(dict.fromkeys(backbone for backbone, _ in curves))
    adaptations = list(dict.fromkeys(adaptation for _, adaptation in curves))
    compared = {
        model: curve.less(curves[base, model[1]])
        for model, curve in curves.items()
        if base is not None and model[0] != base and (base, model[1]) in curves
    }
    # A second panel an adaptation shows the differences, where there is a baseline for it.
    differing = list(dict.fromkeys(adaptation for _, adaptation in compared))
    count = len(adaptations) + len(differing)
    down, across = grid_of(count, ACROSS)

    def draw(figure: "Canvas") -> None:
        grid = panels(figure, count, ACROSS, "coverage", "risk", sharex=True)
        for axes, adaptation in zip(grid, adaptations, strict=False):
            for (backbone, short), curve in curves.items():
                if short == adaptation:
                    _plot_risk(axes, curve, looks.style(backbone))
            axes.set(title=adaptation, xlim=(0, 1), ylim=(0, None))
            axes.grid(alpha=0.3, linewidth=0.5)
        for axes, adaptation in zip(grid[len(adaptations) :], differing, strict=True):
            axes.axhline(0, color="0.3", linewidth=0.8)
            for (backbone, short), (difference, margin) in compared.items():
                if short == adaptation:
                    _plot_band(axes, difference, margin, looks.style(backbone))
            axes.set(title=f"{adaptation}: difference", xlim=(0, 1))
            axes.grid(alpha=0.3, linewidth=0.5)
        legend(figure, handles=looks.keys(grid[0], backbones), labels=backbones)

    return Drawing(
        stem=f"risk-coverage-{units.task}-{units.dataset.id}",
        title=f"Risk and coverage: {units.dataset.id}",
        alt=f"Share of errors among the accepted test cases of {units.dataset.id} over coverage. "
        "At a coverage of .8 and of 1: "
        + "; ".join(
            f"{' with '.join(model)} {curve.risk[AT.index(0.8)]:.3f} and {curve.risk[-1]:.3f}"
            for model, curve in curves.items()
        )
        + ".",
        caption=_caption(base if differing else None, omitted),
        size=(max(4.5, PANEL * across), PANEL * down + 0.2 + 0.15 * len(backbones)),
        data={
            "curves": [
                [" · ".join(model), _digits(c.risk), _digits(c.oracle), rounded(c.random)]
                for model, c in curves.items()
            ],
            "less": [
                [" · ".join(model), *map(_digits, parts)] for model, parts in compared.items()
            ],
            "baseline": base,
            "looks": looks.places(backbones),
        },
        draw=draw,
        folded=True,
        facets={"task": (units.task,), "dataset": (units.dataset.id,)},
    )


def _caption(baseline: str | None, omitted: str) -> str:
    text = (
        "The share of errors among the test cases that are accepted, the most certain first by "
        "their largest probability (of several labels the mean over labels, each ranked by its "
        "own), over the share that is accepted; the mean over repetitions. Dashed: the best order "
        "of the same errors. Dotted: an order by chance."
    )
    if baseline is not None:
        text += (
            f" Differences: in risk from {baseline} at the same coverage, paired "
            "by case, with its 95 % interval over patients (cases where patients are unknown) of "
            "each coverage by itself, by leaving out each of up to 20 blocks of patients. It is "
            "too short where few errors are left, as at small coverages."
        )
    return f"{text}{omitted}"


def _digits(values: Floats) -> list[float]:
    return [rounded(value, 4) for value in values]


def _plot_risk(axes: "Axes", curve: Curve, look: Mapping[str, Any]) -> None:
    axes.plot(AT, curve.risk, markersize=4, markevery=4, linewidth=1.1, **look)
    axes.plot(AT, curve.oracle, "--", color=look["color"], linewidth=0.7, alpha=0.6)
    axes.axhline(curve.random, linestyle=":", color=look["color"], linewidth=0.7, alpha=0.6)


def _plot_band(axes: "Axes", middle: Floats, margin: Floats, look: Mapping[str, Any]) -> None:
    low, high = middle - margin, middle + margin
    axes.fill_between(AT, low, high, color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(AT, middle, markersize=4, markevery=4, linewidth=1.1, **look)


FIGURE = Figure("risk-coverage", "Risk and coverage", risk_coverage, place=56)
