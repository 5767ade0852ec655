"""A metric by the number of labels, on a logarithmic axis, with intervals and the target."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibench.report.figures.drawing import WIDTH, Drawing, Figure, legend, rounded
from omnibench.report.label_efficiency import Budgeted
from omnibench.report.study import Study
from omnibench.stats.label_efficiency import Efficiency
from omnibench.task import POINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST, MOST_MODELS = 12, 8  # figures, and models of one


def label_curves(study: Study) -> Iterator[Drawing]:
    """Yield a figure for each dataset and adaptation with several label budgets."""
    for each in study.budgeted[:MOST]:
        yield _figure(study, each, max(0, len(study.budgeted) - MOST))


def _figure(study: Study, each: Budgeted, undrawn: int) -> Drawing:
    own, metric = each.results.unit, each.results.metric
    scale = 100.0 if own == POINTS else 1.0
    shown = each.models[:MOST_MODELS]
    label = f"{metric} ({own})"
    heights = {model.target for model in shown if math.isfinite(model.target)}
    target = scale * heights.pop() if len(heights) == 1 else None

    def draw(figure: "Canvas") -> None:
        axes = figure.subplots()
        for model in shown:
            curve, style = model.curve, study.looks.style(model.curve.backbone)
            labels = curve.labels.tolist()
            means = (scale * curve.means).tolist()
            name = study.named(curve.backbone)
            axes.plot(labels, means, linewidth=1.2, markersize=4, label=name, **style)
            low, high = ([scale * getattr(p, end) for p in model.points] for end in ("low", "high"))
            if all(map(math.isfinite, (*low, *high))):
                axes.fill_between(labels, low, high, color=style["color"], alpha=0.13, linewidth=0)
        bottom = axes.get_ylim()[0]
        for model in shown:
            if model.needed is not None and math.isfinite(model.needed.value):
                colour = study.looks.colour(model.curve.backbone)
                ends = bottom, scale * model.target
                axes.vlines(model.needed.value, *ends, color=colour, linewidth=0.8, linestyle=":")
        axes.set_ylim(bottom=bottom)
        if target is not None:
            axes.axhline(target, color="0.4", linewidth=0.8, linestyle="--", zorder=0)
        axes.set_xscale("log", base=2)
        ticks = sorted({float(x) for model in shown for x in model.curve.labels})
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel="labelled training images", ylabel=label)
        axes.grid(alpha=0.3, linewidth=0.5)
        legend(figure, columns=3)

    dataset = study.names.dataset(each.dataset)
    reference = each.target.reference
    whose = study.named(reference) if reference else "each model"
    caption = (
        "Means over repetitions by the label budget, with pointwise 95 % intervals for new "
        f"patients and new runs. Dotted: labels to the target, {each.aim} the {metric} of {whose} "
        "with the most labels"
    )
    caption += ", which is dashed." if target is not None else "."
    left = len(each.models) - len(shown)
    caption += f" {left} further models are not drawn." if left else ""
    caption += f" {undrawn} further datasets are not drawn." if undrawn else ""
    return Drawing(
        stem=f"label-efficiency-{each.task}-{each.dataset}-{each.adaptation}",
        title=f"Label efficiency: {dataset}, {each.adaptation}, {metric}",
        alt=f"{label} against labelled training images, logarithmic. "
        + " ".join(_in_words(study, model, scale) for model in shown),
        caption=caption,
        size=(WIDTH, 3.2),
        data={
            "curves": [_data(model, scale) for model in shown],
            "target": None if target is None else rounded(target),
            "label": label,
            "looks": study.looks.places(model.curve.backbone for model in shown),
        },
        draw=draw,
        facets={"task": (each.task,), "dataset": (each.dataset,), "metric": (metric,)},
    )


def _data(model: Efficiency, scale: float) -> list[object]:
    points = []
    for labels, p in zip(model.curve.labels.tolist(), model.points, strict=True):
        ends = (p.value, p.low, p.high)
        heights = [rounded(scale * end) if math.isfinite(end) else None for end in ends]
        points.append([rounded(labels), *heights])
    needed = model.needed.value if model.needed is not None else math.nan
    return [model.curve.backbone, points, rounded(needed) if math.isfinite(needed) else None]


def _in_words(study: Study, model: Efficiency, scale: float) -> str:
    points = zip(model.curve.labels.tolist(), model.points, strict=True)
    texts = [f"{scale * p.value:.1f} with {labels:,.0f}" for labels, p in points]
    return f"{study.named(model.curve.backbone)}: {', '.join(texts)}."


FIGURE = Figure("label-efficiency", "Label efficiency", label_curves, place=57)
