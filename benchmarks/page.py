"""Measure the report's page of 3,000 units in a browser: until it answers, and what it weighs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Measure
from omnibench.report.page.render import Page, to_html
from omnibench.report.table import Cell, Column, Row, Table
from tests.report.browser import Browser, installed

BACKBONES, DATASETS, ADAPTATIONS = 30, 20, 5  # 3,000 units
METRICS = ("auc", "accuracy", "macro-f1", "ece")
VALUES = {
    "dataset": [f"dataset-{d}" for d in range(DATASETS)],
    "adaptation": [f"adaptation-{a}" for a in range(ADAPTATIONS)],
    "metric": METRICS,
}
FACETS = {facet: dict(zip(values, values, strict=True)) for facet, values in VALUES.items()}
# Seconds of the renderer from the start of the page until a frame after its load.
USABLE = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(
  () => done(performance.now() / 1000))))"""
SELECT = """new Promise(done => {
  const select = document.querySelector('[name=dataset]');
  select.value = 'dataset-7';
  select.dispatchEvent(new Event('change', {bubbles: true}));
  requestAnimationFrame(() => requestAnimationFrame(done));
})"""


def page() -> Page:
    """Return a page with a row a unit in its results, comparisons and costs."""
    places = [
        (f"backbone-{b}", f"dataset-{d}", f"adaptation-{a}")
        for d in range(DATASETS)
        for a in range(ADAPTATIONS)
        for b in range(BACKBONES)
    ]
    labels = tuple(map(Column, ("backbone", "dataset", "adaptation")))
    values = tuple(Column(name, "value", facets={"metric": (name,)}) for name in METRICS)
    results = [
        Row((*map(Cell, place), *(_value(k, metric) for metric in METRICS)), place[1])
        for k, place in enumerate(places)
    ]
    numbers = tuple(Column(name, "number") for name in ("difference", "p", "corrected p"))
    compared = []
    for k, place in enumerate(places):
        p = k * 7 % 1000 / 1000
        compared.append((*map(Cell, place), *(Cell.from_number(p, f"{p:.3f}") for _ in numbers)))
    comparisons, costs = (
        Table.from_cells(title, (*labels, *numbers), compared) for title in ("Comparisons", "Costs")
    )
    return Page(
        "3,000 units",
        ["Made up."],
        [Table("classification", (*labels, *values), tuple(results), "", labels=3)],
        [],
        facets=FACETS,
        comparisons=[comparisons],
        costs=costs,
    )


def _value(k: int, metric: str) -> Cell:
    mean = k * 37 % 1000 / 1000
    details = (
        f"unit {k}, {metric}.",
        "n = 3 repetitions; head seed varies.",
        f"95 % t interval of the mean over repetitions: {mean:.2f} to {mean + 0.1:.2f} points.",
        f"Difference from the baseline: +{mean:.2f} points, 95 % interval {mean:.2f} to 9.99.",
        "Verdict: undecided.",
        f"Tested for new images and new runs, two-sided: p = {mean:.3f}.",
        "Metric definition: omnirad-classification.",
        f"Records: {k:012x} {k + 1:012x} {k + 2:012x}.",
    )
    return Cell(f"{100 * mean:.2f}", "value", mean, "1.23", details=details)


def measure(device: str) -> Iterator[Measure]:
    """Yield megabytes and seconds; nothing where no browser is installed."""
    if installed() is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_bytes(to_html(page()))
        browser = Browser(Path(folder) / "profile")
        try:
            browser.resize(1280, 900)
            browser("Performance.enable", timeDomain="threadTicks")
            before = _busy_seconds(browser)
            browser.open(path)
            usable = browser.run(USABLE)
            opened = _busy_seconds(browser)
            browser.run(SELECT)
            selected = _busy_seconds(browser)
        finally:
            browser.close()
        name = "page of 3,000 units"
        yield Measure("page", f"{name}: size", path.stat().st_size / 1e6, "MB")
        for what, seconds, bound in (
            ("until it is usable", usable, "<= 1.5"),
            ("processor time of that", opened - before, "<= 1.5"),
            ("processor time of a selection", selected - opened, "<= 0.5"),
        ):
            yield Measure("page", f"{name}: {what}", seconds, "s", None, bound)


def _busy_seconds(browser: Browser) -> float:
    metrics = browser("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration"))
