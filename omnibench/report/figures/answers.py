"""What classifiers answered for their test cases, pooled over repetitions, and figures of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError
from omnibench.report.figures.drawing import (
    ROW,
    WIDTH,
    Drawing,
    Figure,
    colour,
    keys,
    legend,
    marker,
    rounded,
    row_axis,
)
from omnibench.report.study import Study
from omnibench.stats.cases import Logits, logits_in
from omnibench.stats.rates import BINS, confidence_bins, confusion, f1_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MOST_UNITS = 12  # a dataset
MOST_DATASETS = 6
ACROSS = 3  # panels a row
PANEL = 2.4  # inches of a confusion matrix
MOST_NUMBERED = 10  # classes; beyond, the shares do not fit their fields
APART = 0.7  # share of a row over which the backbones' F1 are spread


@dataclass(frozen=True, eq=False)
class Answers:
    """Of one unit.

    Attributes:
        counts: [C, C] cases, row the true class, column the answer; None of a multi-label task.
        f1: [C] mean over repetitions, NaN of a class that occurs in neither truth nor answer.
        confidence, hits, sizes: [BINS] sums over cases; None of a multi-label task.
    """

    backbone: str
    adaptation: str
    repetitions: int
    f1: NDArray[np.float64]
    counts: NDArray[np.int64] | None = None
    confidence: NDArray[np.float64] | None = None
    hits: NDArray[np.float64] | None = None
    sizes: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """Return backbone and adaptation."""
        return f"{self.backbone} · {self.adaptation}"


@dataclass(frozen=True, eq=False)
class Classified:
    """All units of one task on one dataset that stored logits.

    Attributes:
        left: how many further units are not among `units`.
        undrawn: how many further datasets of the task are not drawn.
    """

    task: str
    dataset: str
    classes: tuple[str, ...]
    units: Sequence[Answers]
    left: int
    undrawn: int = 0

    @property
    def omitted(self) -> str:
        """Return what a caption must say of what is not drawn; "" where all is."""
        units = f" {self.left} further units are left out." if self.left else ""
        return units + (f" {self.undrawn} further datasets are not drawn." if self.undrawn else "")


def answer_figures(study: Study) -> Iterator[Drawing]:
    """Yield confusion, F1 of each class and reliability of each dataset whose logits are stored."""
    for dataset in classified(study):
        for drawing in (confusion_matrices(dataset), class_f1(dataset), reliability(dataset)):
            if drawing is not None:
                yield drawing


def classified(study: Study) -> Iterator[Classified]:
    """Yield what classifiers answered, at most `MOST_UNITS` units of `MOST_DATASETS` datasets."""
    places: dict[tuple[str, str], dict[tuple[str, str], list[str]]] = {}
    cards = {}
    for state, record in study.finished:
        unit = state.cell.unit
        units = places.setdefault((unit.task, unit.dataset.id), {})
        units.setdefault((unit.backbone.id, unit.short), []).append(record["digest"])
        cards[unit.dataset.id] = unit.dataset
    drawn = 0
    for (task, dataset), units in places.items():
        answered: list[Answers] = []
        for (backbone, adaptation), digests in units.items():
            if drawn == MOST_DATASETS or len(answered) == MOST_UNITS:
                break
            logits = _logits(study, digests)
            if logits:
                answered.append(_answers(backbone, adaptation, logits))
            elif not answered:
                break  # a task without logits has none in its other units either
        if answered:
            drawn += 1
            count = len(answered[0].f1)
            names = cards[dataset].classes
            classes = names if len(names) == count else tuple(map(str, range(count)))
            same = [unit for unit in answered if len(unit.f1) == count]
            undrawn = max(0, sum(t == task for t, _ in places) - MOST_DATASETS)
            yield Classified(task, dataset, classes, same, len(units) - len(same), undrawn)


def _logits(study: Study, digests: Sequence[str]) -> list[Logits]:
    repetitions = []
    for digest in digests:
        try:
            arrays = study.predictions(digest).arrays
            cases = len(arrays.get("test_logits", ()))
            logits = logits_in(arrays, cases, "here") if cases else None
        except (OmnibenchError, KeyError, ValueError):
            continue  # what cannot be read was named by the comparisons already
        if logits is not None:
            repetitions.append(logits)
    return repetitions


def _answers(backbone: str, adaptation: str, repetitions: Sequence[Logits]) -> Answers:
    f1 = np.mean([_f1(logits) for logits in repetitions], axis=0)
    if repetitions[0].multi_label:
        return Answers(backbone, adaptation, len(repetitions), f1)
    classes = repetitions[0].values.shape[2]
    counts = np.zeros((classes, classes), np.int64)
    sums = np.zeros((3, BINS))
    for logits in repetitions:
        answer = logits.values[0].argmax(axis=1)
        counts += confusion(logits.labels, answer, classes)
        confidence = logits.probabilities[0].max(axis=1)
        index = confidence_bins(confidence)
        weights = (confidence, (answer == logits.labels).astype(np.float64), np.ones(len(index)))
        sums += [np.bincount(index, weight, minlength=BINS) for weight in weights]
    return Answers(backbone, adaptation, len(repetitions), f1, counts, *sums)


def _f1(logits: Logits) -> NDArray[np.float64]:
    truth, decided = logits.truth, logits.decisions[0]
    sizes = truth.sum(axis=0) + decided.sum(axis=0)
    return np.where(sizes > 0, f1_scores((truth & decided).sum(axis=0), sizes), np.nan)


def confusion_matrices(answered: Classified) -> Drawing | None:
    """Return the row-normalised matrices of a dataset's units; None of a multi-label task."""
    units = [unit for unit in answered.units if unit.counts is not None]
    if not units:
        return None
    across = min(ACROSS, len(units))
    down = -(-len(units) // across)

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(down, across, squeeze=False)
        for k, axes in enumerate(grid.flat):
            if k < len(units):
                _panel(axes, units[k], answered.classes, first=k % across == 0)
            else:
                axes.set_axis_off()

    return Drawing(
        stem=f"confusion-{answered.task}-{answered.dataset}",
        title=f"Confusion matrices: {answered.dataset}",
        alt=f"Row-normalised confusion matrices on {answered.dataset}. "
        + _shares(units, answered.classes),
        caption="Share of each true class (row) that was given each answer (column), in per cent, "
        f"pooled over repetitions.{answered.omitted}",
        size=(max(4.5, across * PANEL + 0.8), down * PANEL + 0.6),
        data={
            "classes": list(answered.classes),
            "units": [
                [unit.name, unit.counts.tolist()] for unit in units if unit.counts is not None
            ],
        },
        draw=draw,
        folded=True,
    )


def _shares(units: list[Answers], classes: tuple[str, ...]) -> str:
    sentences = []
    for unit in units:
        assert unit.counts is not None
        right = [
            f"{name} {100 * unit.counts[k, k] / unit.counts[k].sum():.0f} %"
            for k, name in enumerate(classes)
            if unit.counts[k].sum()
        ]
        sentences.append(f"{unit.name} is right on {', '.join(right)}.")
    return " ".join(sentences)


def _panel(axes: "Axes", unit: Answers, classes: tuple[str, ...], first: bool) -> None:
    assert unit.counts is not None
    sizes = unit.counts.sum(axis=1, keepdims=True)
    shares = unit.counts / sizes.clip(min=1)
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right", rotation_mode="anchor", fontsize=6)
    axes.set_yticks(ticks, classes if first else [""] * len(classes), fontsize=6)
    axes.set_title(f"{unit.backbone}\n{unit.adaptation}", fontsize=7)
    axes.tick_params(length=0)
    if len(classes) > MOST_NUMBERED:
        return
    for i in ticks:
        for j in ticks:
            axes.text(
                j,
                i,
                f"{100 * shares[i, j]:.0f}" if sizes[i, 0] else "\N{EN DASH}",
                ha="center",
                va="center",
                fontsize=6,
                color="white" if shares[i, j] < 0.5 else "black",
            )


def class_f1(answered: Classified) -> Drawing:
    """Return each class's F1, a panel an adaptation, a marker a backbone."""
    backbones = list(dict.fromkeys(unit.backbone for unit in answered.units))
    adaptations = list(dict.fromkeys(unit.adaptation for unit in answered.units))
    across = min(ACROSS, len(adaptations))
    down = -(-len(adaptations) // across)

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, adaptation in zip(grid.flat, adaptations, strict=False):
            for unit in answered.units:
                if unit.adaptation == adaptation:
                    k = backbones.index(unit.backbone)
                    shift = APART * ((k + 0.5) / len(backbones) - 0.5)
                    rows = [y + shift for y in range(len(answered.classes))]
                    axes.plot(100 * unit.f1, rows, marker(k), color=colour(k), markersize=4.5)
            row_axis(axes, list(answered.classes))
            axes.set_title(adaptation)
        for axes in grid.flat[len(adaptations) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("F1 (points)")
        legend(figure, handles=keys(grid.flat[0], len(backbones)), labels=backbones)

    values = [
        [unit.name, [None if v != v else rounded(v) for v in unit.f1.tolist()]]
        for unit in answered.units
    ]
    return Drawing(
        stem=f"class-f1-{answered.task}-{answered.dataset}",
        title=f"F1 of each class: {answered.dataset}",
        alt=f"F1 in points on {answered.dataset}. {_scores(answered)}",
        caption=f"Mean over repetitions of the F1 of each class; none of a class that occurs in "
        f"neither truth nor answer.{answered.omitted}",
        size=(WIDTH, (1.0 + 1.6 * ROW * len(answered.classes)) * down + 0.15 * len(backbones)),
        data={"classes": list(answered.classes), "values": values},
        draw=draw,
        folded=True,
    )


def _scores(answered: Classified) -> str:
    sentences = []
    for unit in answered.units:
        known = [
            f"{name} {100 * value:.0f}"
            for name, value in zip(answered.classes, unit.f1.tolist(), strict=True)
            if value == value
        ]
        sentences.append(f"{unit.name}: {', '.join(known)}.")
    return " ".join(sentences)


def reliability(answered: Classified) -> Drawing | None:
    """Return accuracy against confidence, a panel an adaptation; None of a multi-label task."""
    units = [unit for unit in answered.units if unit.sizes is not None]
    if not units:
        return None
    backbones = list(dict.fromkeys(unit.backbone for unit in units))
    adaptations = list(dict.fromkeys(unit.adaptation for unit in units))
    across = min(ACROSS, len(adaptations))
    down = -(-len(adaptations) // across)
    lines = {unit.name: _points(unit) for unit in units}

    def draw(figure: "Canvas") -> None:
        grid: Any = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
        for axes, adaptation in zip(grid.flat, adaptations, strict=False):
            axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
            for unit in units:
                if unit.adaptation == adaptation:
                    k = backbones.index(unit.backbone)
                    xs, ys = zip(*lines[unit.name], strict=True)
                    axes.plot(xs, ys, marker(k) + "-", color=colour(k), markersize=4, linewidth=1)
            axes.set(title=adaptation, xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
            axes.grid(alpha=0.3, linewidth=0.5)
        for axes in grid.flat[len(adaptations) :]:
            axes.set_axis_off()
        for axes in grid[-1]:
            axes.set_xlabel("confidence")
        for axes in grid[:, 0]:
            axes.set_ylabel("share that is right")
        legend(figure, handles=keys(grid.flat[0], len(backbones)), labels=backbones)

    return Drawing(
        stem=f"reliability-{answered.task}-{answered.dataset}",
        title=f"Reliability: {answered.dataset}",
        alt=f"Share of right answers against stated confidence on {answered.dataset}. "
        + _confidences(units),
        caption="Answers in 15 equal bins of their confidence (the largest probability), pooled "
        "over repetitions; below the diagonal a model is surer than it is right. Bins without "
        f"cases are not drawn.{answered.omitted}",
        size=(max(4.5, WIDTH * across / ACROSS), 2.6 * down + 0.2 + 0.15 * len(backbones)),
        data={"lines": lines},
        draw=draw,
        folded=True,
    )


def _points(unit: Answers) -> list[list[float]]:
    assert unit.sizes is not None
    assert unit.confidence is not None
    assert unit.hits is not None
    some = np.flatnonzero(unit.sizes)
    return [
        [rounded(unit.confidence[k] / unit.sizes[k]), rounded(unit.hits[k] / unit.sizes[k])]
        for k in some
    ]


def _confidences(units: list[Answers]) -> str:
    sentences = []
    for unit in units:
        assert unit.sizes is not None
        assert unit.confidence is not None
        assert unit.hits is not None
        cases = unit.sizes.sum()
        sentences.append(
            f"{unit.name}: mean confidence {100 * unit.confidence.sum() / cases:.0f} %, right "
            f"{100 * unit.hits.sum() / cases:.0f} %."
        )
    return " ".join(sentences)


FIGURE = Figure(
    "answers", "Confusion matrices, F1 of each class, and reliability", answer_figures, place=50
)
