"""What curves over label budgets say of how many labels a model needs."""

import math

import numpy as np
import pytest

from benchmarks.simulations.label_curves import CHANCE, LABELS, SHARE, Efficiencies, Line
from omnibench.stats.curve_crossing import crossing
from omnibench.stats.label_efficiency import Target, as_frame, efficiencies
from omnibench.stats.label_points import Curve


def curve(name: str, line: Line) -> Curve:
    labels = np.array(LABELS, np.float64)
    forms = tuple(f"linear@{count}shot" for count in LABELS)
    numbers = ((0, 1, 2),) * len(LABELS)
    return Curve(name, forms, labels, line.at(labels), numbers, (), "no predictions")


def test_labels_and_ratio_of_lines_are_the_closed_form() -> None:
    own, rival = Line(0.5, 0.04), Line(0.46, 0.04)
    model, other = efficiencies(
        [curve("a", own), curve("b", rival)], Target(SHARE, CHANCE, "b"), "b"
    )
    best = float(rival.at(np.array(LABELS[-1:], np.float64))[0])
    target = CHANCE + SHARE * (best - CHANCE)
    assert model.target == pytest.approx(target)
    assert model.needed is not None
    assert other.needed is not None
    assert model.needed.value == pytest.approx(own.labels_to(target))
    assert other.needed.value == pytest.approx(rival.labels_to(target))
    assert model.ratio is not None
    assert model.ratio.value == pytest.approx(2.0)  # .04 lower is one doubling
    assert math.isnan(model.ratio.low)
    assert model.note == "no predictions"
    assert other.ratio is None


def test_less_is_better_is_the_same_turned_round() -> None:
    rising = [curve("a", Line(0.5, 0.04)), curve("b", Line(0.46, 0.04))]
    falling = [curve("a", Line(-0.5, -0.04)), curve("b", Line(-0.46, -0.04))]
    one, _ = efficiencies(rising, Target(SHARE, CHANCE, "b"), "b")
    other, _ = efficiencies(falling, Target(SHARE, -CHANCE, "b", falling=True), "b")
    assert one.needed is not None
    assert other.needed is not None
    assert one.needed.value == pytest.approx(other.needed.value)


def test_targets_beyond_the_budgets_are_bounds() -> None:
    good, bad = curve("good", Line(0.8, 0.01)), curve("bad", Line(0.3, 0.03))
    of_good, of_bad = efficiencies([good, bad], Target(1.0, 0.5, "good"), "bad")
    assert of_bad.needed is not None
    assert (of_bad.needed.least, of_bad.needed.most) == (LABELS[-1], np.inf)
    assert of_good.ratio is not None
    assert of_good.ratio.least == pytest.approx(1.0)
    assert of_good.ratio.most == np.inf
    (of_early,) = efficiencies([good], Target(0.5, 0.5, None))
    assert of_early.needed is not None
    assert (of_early.needed.least, of_early.needed.most) == (0, LABELS[0])


def test_a_reference_at_chance_gives_no_target() -> None:
    (model,) = efficiencies([curve("a", Line(0.3, 0.01))], Target(0.95, 0.5, None))
    assert model.needed is None
    assert "no better than chance" in model.note


def test_two_repetitions_give_no_interval_and_say_so() -> None:
    curves = Efficiencies(60, 2).draw(np.random.default_rng(0))
    model, _ = efficiencies(curves, Target(SHARE, CHANCE, "b"), "b")
    assert "2 repetitions do not tell" in model.note
    assert math.isnan(model.area.low)
    with_three = Efficiencies(60, 3).draw(np.random.default_rng(0))
    model, _ = efficiencies(with_three, Target(SHARE, CHANCE, "b"), "b")
    assert model.note == ""
    assert model.area.low < model.area.value < model.area.high
    frame = as_frame([model])
    assert frame["labels"].tolist() == [float(count) for count in LABELS]
    assert (frame["low"] < frame["mean"]).all()


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    study = Efficiencies(156, 5)
    rng = np.random.default_rng(1)
    held = [study(rng) for _ in range(60)]
    for name in held[0]:
        share = np.mean([outcome[name] for outcome in held])
        assert share >= 0.87, name  # .95 - 3 standard errors of 60 studies is .866


def test_curves_far_apart_never_cross_and_crossing_ones_do() -> None:
    rng = np.random.default_rng(2)
    far = Efficiencies(400, 5, (Line(0.62, 0.04), Line(0.4, 0.04))).draw(rng)
    assert crossing(*far).course == "ahead"
    assert crossing(*reversed(far)).course == "behind"
    steep = Efficiencies(600, 10, (Line(0.75, 0.0), Line(0.3, 0.075)), run=0.005)
    crossed = crossing(*steep.draw(rng))
    assert crossed.course == "crosses"
    assert 20 < crossed.crossed < 200  # of the lines: 2 ** 6 = 64
    equal = crossing(*Efficiencies(156, 5, (Line(0.5, 0.04), Line(0.5, 0.04))).draw(rng))
    assert equal.course == "undecided"
    assert ((equal.low < equal.difference) & (equal.difference < equal.high)).all()
