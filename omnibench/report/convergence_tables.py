"""How soon trainings are at a target, as tables and as a CSV."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from omnibench.report.convergence import AMOUNTS, SHARE, Converging, Label
from omnibench.report.study import Study
from omnibench.report.table import Cell, Column, Row, Table
from omnibench.report.words import listed, number
from omnibench.stats.convergence import Reached, area, median_time
from omnibench.stats.result import RefusedError
from omnibench.task import POINTS

STEM = "convergence"
COLUMNS = (
    *("task", "dataset", "backbone", "adaptation", "repetition", "metric", "target", "value"),
    *("reached", *AMOUNTS, "best", "auvc"),
)
# What is spent -> its head in a table, and what it is divided by there.
HEADS = {
    "epochs": ("epochs", 1.0),
    "steps": ("steps", 1.0),
    "images": ("images", 1.0),
    "train_seconds": ("training seconds", 1.0),
    "device_hours": ("device-hours", 1.0),
    "flops": ("TFLOPs", 1e12),
}
SPEED_UPS = {"steps": "speed-up in steps", "train_seconds": "speed-up in seconds"}
DIGITS = 3

Targets = Callable[[Label], Mapping[int, float]]


def convergence_tables(study: Study) -> Iterator[Table]:
    """Yield for each task and dataset a table of the baseline's best and one of one's own."""
    for trained in study.converging:
        if any(trained.against_baseline(label) for label in trained.courses):
            baseline = study.named(trained.baseline or "")
            yield study.names.table(_against_baseline(trained, baseline))
        yield study.names.table(_near_own_best(trained))


def _against_baseline(trained: Converging, baseline: str) -> Table:
    targets = trained.against_baseline
    labels = [label for label in trained.courses if targets(label)]
    heads = _heads(trained, labels, targets)
    columns = [*_labels(), Column("reached", "number", right=True), *_amounts(heads)]
    speed_ups = [amount for amount in SPEED_UPS if amount in heads and len(labels) > 1]
    columns += [Column(SPEED_UPS[amount], "number", right=True) for amount in speed_ups]
    rows = []
    for label in labels:
        cells = [*map(Cell, label), _reached(trained.times(label, targets(label), "epochs"))]
        cells += [_median(trained.times(label, targets(label), amount), amount) for amount in heads]
        cells += [_speed_up(trained, label, amount) for amount in speed_ups]
        rows.append(Row(tuple(cells), label[1]))
    values = [value for label in labels for value in targets(label).values()]
    left = [adaptation for _, adaptation in trained.courses if not _has_target(trained, adaptation)]
    caption = [
        f"What was spent until the validation {trained.metric} first was at the best of "
        f"{baseline} with the same adaptation in the same repetition ({_span(values, trained)}).",
        *_common(trained, labels),
        *([_SPEED_UP] if speed_ups else []),
        *([f"{baseline} was not run with {listed(left)}."] if left else []),
    ]
    return _table(f"Time to the best of {baseline}", trained, columns, rows, caption)


def _near_own_best(trained: Converging) -> Table:
    labels, targets = list(trained.courses), trained.near_own_best
    heads = _heads(trained, labels, targets)
    best = Column("best", "number", trained.falling, trained.unit, right=True)
    mean = Column("mean over epochs", "number", trained.falling, trained.unit, right=True)
    rows = []
    for label in labels:
        courses = trained.courses[label].values()
        ends = [float(course.best[-1]) for course in courses]
        areas = [area(course.best, course.amounts["epochs"]) for course in courses]
        cells = [*map(Cell, label), _mean(ends, trained), _mean(areas, trained)]
        cells += [_median(trained.times(label, targets(label), amount), amount) for amount in heads]
        rows.append(Row(tuple(cells), label[1]))
    caption = [
        f"What was spent until the validation {trained.metric} first was within "
        f"{100 * (1 - SHARE):.0f} % of a repetition's own best. Best, and the mean over epochs of "
        "the best so far (the area under the validation curve by trapezoids, over the epochs; what "
        "the first evaluation says holds before it), are means over repetitions.",
        *_common(trained, labels),
    ]
    title = f"Time to {100 * SHARE:.0f} % of one's own best"
    return _table(title, trained, [*_labels(), best, mean, *_amounts(heads)], rows, caption)


_SPEED_UP = (
    "Speed-up: geometric mean over repetitions paired by their seeds of what the baseline spent "
    "over what the model spent, with the 95 % t interval of its logarithm (none where all pairs "
    "agree, or there is one); > and < are bounds, where some did not get there; a dash where "
    "nothing can be said."
)


def _common(trained: Converging, labels: Sequence[Label]) -> Iterator[str]:
    """Yield what holds for the times of every target."""
    courses = [course for label in labels for course in trained.courses[label].values()]
    yield (
        "Medians over repetitions by Kaplan-Meier; > where they are beyond what was run. A time is "
        "that of the first evaluation at the target, which may have been there at any time since "
        "the evaluation before."
    )
    if any(course.tells("train_seconds") for course in courses):
        yield (
            "Seconds, device-hours (seconds times processes) and FLOPs are of the training's steps "
            "alone: without validation, and without frozen features that are kept."
        )
    if not all(course.tells("steps") for course in courses):
        yield "Records of before version 0.2.0 tell epochs alone."
    lengths = sorted({round(float(course.amounts["epochs"][-1])) for course in courses})
    span = " to ".join(dict.fromkeys(f"{length:g}" for length in (lengths[0], lengths[-1])))
    text = f"Trainings of {span} epochs."
    if any(course.decays for course in courses):
        text += (
            " Their rate falls over the whole training, so the time to a target depends on its "
            "length: a shorter one may be there sooner."
        )
    yield text


def _heads(trained: Converging, labels: Sequence[Label], targets: Targets) -> list[str]:
    """Return what of `AMOUNTS` at least one row tells."""
    return [
        amount
        for amount in AMOUNTS
        if any(trained.times(label, targets(label), amount) for label in labels)
    ]


def _has_target(trained: Converging, adaptation: str) -> bool:
    labels = [label for label in trained.courses if label[1] == adaptation]
    return any(trained.against_baseline(label) for label in labels)


def _labels() -> list[Column]:
    return [Column("backbone"), Column("adaptation")]


def _amounts(heads: Iterable[str]) -> list[Column]:
    return [Column(HEADS[amount][0], "number", falling=True, right=True) for amount in heads]


def _table(
    title: str,
    trained: Converging,
    columns: Iterable[Column],
    rows: Iterable[Row],
    caption: Iterable[str],
) -> Table:
    table = Table(
        f"{title}: {trained.task} on {trained.dataset}, validation {trained.metric}",
        tuple(columns),
        tuple(rows),
        " ".join(caption),
        labels=2,
    )
    return replace(table, facets={"task": (trained.task,), "dataset": (trained.dataset,)})


def _reached(times: Sequence[Reached]) -> Cell:
    count = sum(time.event for time in times)
    return Cell(f"{count}/{len(times)}", "number", count / len(times))


def _median(times: Sequence[Reached], amount: str) -> Cell:
    if not times:
        return Cell.from_number(None, "")
    scale, median = HEADS[amount][1], median_time(times)
    if median is not None:
        return Cell(_rounded(median / scale), "number", median / scale)
    most = max(time.amount for time in times) / scale
    return Cell(f"> {_rounded(most)}", "number", most)


def _speed_up(trained: Converging, label: Label, amount: str) -> Cell:
    if label[0] == trained.baseline:
        return replace(Cell.from_number(None, ""), details=("This is the baseline.",))
    try:
        speed_up = trained.speed_up(label, amount)
    except RefusedError as reason:
        return replace(Cell.from_number(None, ""), details=(f"No speed-up: {reason}.",))
    text = f"{speed_up.bound} {_rounded(speed_up.value)}".strip()
    if math.isfinite(speed_up.low):
        text += f" ({_rounded(speed_up.low)} to {_rounded(speed_up.high)})"
    return Cell(text, "number", speed_up.value)


def _mean(values: Sequence[float], trained: Converging) -> Cell:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Cell.from_number(None, "")
    mean = sum(known) / len(known)
    return Cell(_quality(mean, trained), "number", mean)


def _quality(value: float, trained: Converging) -> str:
    return number(value, trained.unit, decimals=2 if trained.unit == POINTS else 4)


def _span(values: Sequence[float], trained: Converging) -> str:
    """Return what targets are: one number, or the least and the largest of them."""
    ends = (_quality(end, trained) for end in (min(values), max(values)))
    unit = f" {trained.unit}" if trained.unit else ""
    return f"{' to '.join(dict.fromkeys(ends))}{unit}"


def _rounded(value: float) -> str:
    """Return a number of so many digits, and every digit before its point."""
    if value == 0:
        return "0"
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def long_table(every: Iterable[Converging]) -> Table:
    """Return a row for each repetition and target, in full precision."""
    rows = []
    for trained in every:
        targets = {
            f"best of {trained.baseline}": trained.against_baseline,
            f"{SHARE:g} of own best": trained.near_own_best,
        }
        for label, courses in trained.courses.items():
            for name, target_of in targets.items():
                for k, target in target_of(label).items():
                    course = courses[k]
                    spent = {a: course.time_to(target, a, trained.falling) for a in AMOUNTS}
                    fields: dict[str, object] = {
                        "task": trained.task,
                        "dataset": trained.dataset,
                        "backbone": label[0],
                        "adaptation": label[1],
                        "repetition": k,
                        "metric": trained.metric,
                        "target": name,
                        "value": target,
                        "reached": int(spent["epochs"].event),
                        "best": float(course.best[-1]),
                        "auvc": area(course.best, course.amounts["epochs"]),
                    }
                    fields |= {a: s.amount for a, s in spent.items() if course.tells(a)}
                    rows.append([Cell("", value=fields.get(column)) for column in COLUMNS])
    return Table.from_cells("Convergence", map(Column, COLUMNS), rows)
