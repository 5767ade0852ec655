"""Measure the test that decides, at the size of the study and of its largest dataset."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import Measure, best_seconds
from omnibench.stats.best import standings
from omnibench.stats.cases import Cases, Logits
from omnibench.stats.deciding import decide
from omnibench.stats.influence import Influence, influences

CASES, CLASSES = 17_778, 11
STUDY = ((156, 2), (624, 2), (2_115, 3), (8_216, 11), (CASES, CLASSES))  # cases, classes
BACKBONES, REPETITIONS, SCORE = 10, 5, ("any", "macro-f1")
LOOPS = 20  # patients that the plain loop leaves out; each takes as long as the next


def measure(device: str) -> Iterator[Measure]:
    """Yield the seconds of one pair, against a jackknife by scikit-learn, and of a study."""
    rng = np.random.default_rng(0)
    a, b = (_unit(rng, CASES, CLASSES, 1) for _ in range(2))
    pair = best_seconds(lambda: decide(_influence(a), _influence(b)))
    loop = _loop(a) * CASES * 2
    what = f"macro-F1 of a pair, {CASES:,} cases, {CLASSES} classes"
    yield Measure("statistics", what, pair, "s", None, "<= 0.5")
    yield Measure("statistics", "leaving each case out by scikit-learn", loop, "s", loop / pair)
    seconds = 0.0
    for cases, classes in STUDY:
        units = [_unit(rng, cases, classes, REPETITIONS) for _ in range(BACKBONES)]
        began = time.perf_counter()
        models = {f"model-{k}": _influence(unit) for k, unit in enumerate(units)}
        first, *others = models.values()
        for other in others:
            decide(other, first)
        standings({name: model.summary for name, model in models.items()}, False)
        seconds += time.perf_counter() - began
    what = f"{len(STUDY)} datasets x {BACKBONES} backbones x {REPETITIONS} runs: all verdicts"
    yield Measure("statistics", what, seconds, "s", None, "<= 30")


def _unit(rng: np.random.Generator, cases: int, classes: int, repetitions: int) -> Cases:
    labels = rng.integers(classes, size=cases)
    logits = rng.normal(size=(repetitions, cases, classes)) + 2 * np.eye(classes)[labels]
    return Cases(repetitions, np.arange(cases), None, {}, Logits(logits, labels))


def _influence(cases: Cases) -> Influence:
    outcome = influences(cases, [SCORE])[SCORE]
    assert isinstance(outcome, Influence)
    return outcome


def _loop(cases: Cases) -> float:
    """Return the seconds of leaving out one case by scikit-learn."""
    from sklearn.metrics import f1_score

    assert cases.logits is not None
    labels: NDArray[np.int64] = cases.logits.labels
    decided = cases.logits.values[0].argmax(axis=1)
    f1_score(labels, decided, average="macro")
    began = time.perf_counter()
    for k in range(LOOPS):
        f1_score(np.delete(labels, k), np.delete(decided, k), average="macro")
    return (time.perf_counter() - began) / LOOPS
