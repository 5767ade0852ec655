"""How many labels models need: the curves of a suite's records over label budgets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from omnibench.label_budget import LabelBudget
from omnibench.report.truth import Truth
from omnibench.report.words import number
from omnibench.stats.curve_crossing import Crossing, crossing
from omnibench.stats.label_efficiency import Bounded, Efficiency, Target, efficiencies
from omnibench.stats.label_points import curves_of
from omnibench.stats.result import RefusedError
from omnibench.stats.units import undecoded
from omnibench.task import makes_backbones

if TYPE_CHECKING:
    from omnibench.cell import Unit
    from omnibench.report.results import Results
    from omnibench.report.study import Study


@dataclass(frozen=True, eq=False)
class Budgeted:
    """The models of one task, dataset and adaptation that were trained on several label budgets.

    Attributes:
        adaptation: its form without the budgets.
        results: of the task's primary metric, for its unit and direction.
        target: what counts as reached.
        models: what each backbone's curve says, in the suite's order.
        rival: the backbone whose labels are divided by each other's; None without a baseline.
        crossings: backbone -> its curve against the rival's, or why there is no band.
        budgets: an adaptation's form with its budget -> the budget ("10%").
    """

    task: str
    dataset: str
    adaptation: str
    results: "Results"
    target: Target
    models: tuple[Efficiency, ...]
    rival: str | None
    crossings: Mapping[str, Crossing | str] = field(default_factory=dict)
    budgets: Mapping[str, str] = field(default_factory=dict)

    @property
    def falling(self) -> bool:
        """Whether less of the metric is better."""
        return self.target.falling

    @property
    def aim(self) -> str:
        """Return the target in words, without the reference's name."""
        return f"{100 * self.target.share:g} % of the way from chance to"


def budgeted(study: "Study") -> Iterator[Budgeted]:
    """Yield the curves of each dataset and adaptation with two label budgets or more."""
    units = _units(study)
    values = study.values.assign(labels=study.values["digest"].map(_labels(study)))
    for (task, dataset, adaptation), budgets in units.items():
        results = study.primary.get(task)
        if len(budgets) < 2 or results is None or makes_backbones(task):
            continue
        score = results.definition, results.metric
        chosen = values[
            (values["task"] == task)
            & (values["dataset"] == dataset)
            & values["adaptation"].isin(budgets)
            & (values["definition"] == score[0])
            & (values["metric"] == score[1])
        ].dropna(subset=["labels"])
        curves = curves_of(chosen, study.predictions, score)
        if not curves:
            continue
        names = [curve.backbone for curve in curves]
        rival = study.baseline if study.baseline in names else None
        guess = study.truths.get((task, dataset), Truth()).chances.get(undecoded(score))
        target = Target(
            study.target_share,
            guess.value if guess else 0.0,
            None if study.target_of == "own" else rival,
            results.metric in results.lower_is_better,
        )
        by_name = {curve.backbone: curve for curve in curves}
        crossings: dict[str, Crossing | str] = {}
        for name in names:
            if rival is not None and name != rival:
                try:
                    crossings[name] = crossing(by_name[name], by_name[rival])
                except RefusedError as reason:
                    crossings[name] = str(reason)
        models = tuple(efficiencies(curves, target, rival))
        yield Budgeted(
            task, dataset, adaptation, results, target, models, rival, crossings, budgets
        )


def _units(study: "Study") -> dict[tuple[str, str, str], dict[str, str]]:
    """Return task, dataset and adaptation -> its forms with a budget -> the budget."""
    units: dict[tuple[str, str, str], dict[str, str]] = {}
    for state, _ in study.finished:
        unit = state.cell.unit
        place = (unit.task, unit.dataset.id, whole_form(unit))
        units.setdefault(place, {})[unit.short] = unit.labels
    return units


def whole_form(unit: "Unit") -> str:
    """Return a unit's form in tables without its label budget."""
    suffix = LabelBudget.from_text(unit.labels).suffix
    return unit.short.replace(suffix, "", 1) if suffix else unit.short


def _labels(study: "Study") -> dict[str, float]:
    """Return a record's digest -> the number of training images it was given."""
    labels = {}
    for state, record in study.finished:
        subset = record["notes"].get("subset") or {}
        cases = state.cell.unit.images.get("train")
        images = subset.get("images", subset.get("studies", cases))
        labels[state.cell.digest] = float(images) if images is not None else np.nan
    return labels


def answers_of(study: "Study", budgeted: Budgeted) -> Iterator[str]:
    """Yield a sentence for each backbone: how many labels it saves against the rival."""
    if budgeted.rival is None:
        return
    rival, where = study.named(budgeted.rival), f"{budgeted.dataset}, {budgeted.adaptation}"
    best = f"{rival}'s" if budgeted.target.reference else "its own"
    aim = f"to be {budgeted.aim} {best} {budgeted.results.metric} with the most labels"
    for model in budgeted.models:
        ratio = model.ratio
        if ratio is None or ratio.low != ratio.low:
            continue
        name = study.named(model.curve.backbone)
        if ratio.low > 1:
            saved = f"needs {times(ratio)} fewer labels than {rival}"
        elif ratio.high < 1:
            saved = f"needs {times(_turned(ratio))} more labels than {rival}"
        else:
            text = f"whether {name} or {rival} needs fewer labels is undecided"
            yield f"{where}: {text} (ratio {bounds(ratio)}), {aim}."
            continue
        shown = ratio if ratio.low > 1 else _turned(ratio)
        yield f"{where}: {name} {saved} {bounds(shown)}, {aim}."


def _turned(ratio: Bounded) -> Bounded:
    def over(value: float) -> float:
        return np.inf if value == 0 else 1 / value

    return Bounded(*map(over, (ratio.most, ratio.least, ratio.high, ratio.low)))


def times(ratio: Bounded) -> str:
    """Return a ratio as "4.2 x", or "at least 4.2 x" where only a bound is known."""
    if ratio.least == ratio.most:
        return f"{_short(ratio.least)} x"
    if ratio.most == np.inf:
        return f"at least {_short(ratio.least)} x"
    return f"at most {_short(ratio.most)} x" if ratio.least == 0 else f"{_open(ratio)} x"


def bounds(bounded: Bounded) -> str:
    """Return the 95 % interval in brackets; an open end is said."""
    low = "0" if bounded.low == 0 else _short(bounded.low)
    high = "no bound" if bounded.high == np.inf else _short(bounded.high)
    return f"[{low}, {high}]"


def _open(bounded: Bounded) -> str:
    return f"{_short(bounded.least)} to {_short(bounded.most)}"


def _short(value: float) -> str:
    return number(value, "", decimals=2 if value < 10 else 0)
