"""Figures: each where its data exist, what they show against independent references."""

import json
import re
import warnings
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix, f1_score

from omnibench import catalogue
from omnibench.commands import reporting
from omnibench.errors import RequestError
from omnibench.record_files import read_predictions
from omnibench.report.columns import FurtherColumn
from omnibench.report.complete import completed
from omnibench.report.figures import drawing, ranks
from omnibench.report.figures.answered import classified
from omnibench.report.figures.answers import answer_figures
from omnibench.report.figures.curves import learning_curves
from omnibench.report.figures.drawing import Drawing, Figure, draw_figures
from omnibench.report.figures.forest import forests
from omnibench.report.figures.looks import Looks
from omnibench.report.figures.pareto import front, paretos
from omnibench.report.figures.ranks import rank_diagrams
from omnibench.report.figures.seeds import seed_scatters
from omnibench.report.page.render import Page
from omnibench.report.page.write import make_page
from omnibench.report.stored_units import drawn
from omnibench.report.study import Study
from omnibench.session import Places
from tests.report.by_hand import Study as ByHand
from tests.report.page_records import ATTACK, CASES, Results


class Made:
    """What the command hands to the page, made at each call."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.results = folder, Results(folder, monkeypatch)
        self.handed = list[Study]()
        monkeypatch.setattr(reporting, "make_page", self.make_page)

    def make_page(self, study: Study, *rest: Any) -> Page:
        self.handed.append(study)
        return make_page(study, *rest)

    def __call__(self, **report: None) -> Study:
        vars(self.results.suite.report).update(report)
        reporting.report("s", self.folder / "out", Places(results=self.folder))
        return self.handed[-1]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(tmp_path, monkeypatch)


def test_each_kind_is_drawn(study: Made, tmp_path: Path) -> None:
    figures = draw_figures(study(), tmp_path)
    actual = {item.stem: item for item in figures.drawings}
    assert figures.failures == []
    assert list(actual) == [
        "forest-classification",
        "seeds-classification",
        "cost-classification",
        "confusion-classification-dots",
        "class-f1-classification-dots",
        "reliability-classification-dots",
        "class-reliability-classification-dots-linear",
        "risk-coverage-classification-dots",
        "curves-classification-dots",
    ]
    for item in actual.values():
        json.dumps(item.data, allow_nan=False)
        assert len(item.alt) > 40
        pdf, svg, png = drawing.write(item, tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF")
        assert svg.read_bytes().startswith(b"<svg ")
        assert svg.stat().st_size < 60_000
        with Image.open(png) as image:
            assert image.width == round(160 * item.size[0])
            assert np.asarray(image.convert("L")).std() > 5  # something is on it


def test_without_baseline_epochs_or_logits_those_figures_are_absent(
    study: Made, tmp_path: Path
) -> None:
    for path in study.results.folder.rglob("*.epochs.jsonl"):
        path.write_text("{broken")
    store = study.results.store
    cells = [cell for unit in study.results.units for cell in unit.cells]
    for cell in cells:
        record = store.read(cell)
        if record is not None and record["status"] == "done":
            arrays = read_predictions(store.path(cell))
            store.write(cell, record, {n: a for n, a in arrays.items() if n != "test_logits"})
    stems = [drawing.stem for drawing in draw_figures(study(baseline=None), tmp_path).drawings]
    assert stems == ["seeds-classification", "cost-classification"]


def test_unchanged_figures_are_not_drawn_again(
    study: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = draw_figures(study(), tmp_path).drawings[0]
    first = [path.read_bytes() for path in drawing.write(item, tmp_path)]
    monkeypatch.setattr(drawing, "_render", lambda *_: pytest.fail("drawn again"))
    assert [path.read_bytes() for path in drawing.write(item, tmp_path)] == first


def test_the_same_records_draw_the_same_bytes(study: Made, tmp_path: Path) -> None:
    render = cast("Any", drawing._render).__wrapped__  # the tests' own keeps what is drawn
    for item in draw_figures(study(), tmp_path).drawings:
        paths = [tmp_path / f"{item.stem}.{kind}" for kind in drawing.KINDS]
        assert render(item, drawing._digest(item)) == [path.read_bytes() for path in paths]


def test_confusion_and_f1_against_scikit_learn(study: Made) -> None:
    (actual,) = classified(study())
    assert actual.classes == ("no_dot", "dot & $x$", ATTACK)
    item: Any = next(u for u in actual.units if u.name == "good · linear")
    store, counts, scores = study.results.store, np.zeros((3, 3)), []
    for unit in study.results.units:
        if (unit.backbone.id, unit.short) != ("good", "linear"):
            continue
        for cell in unit.cells:
            with np.load(store.path(cell).with_suffix(".predictions.npz")) as arrays:
                truth, answer = arrays["test_labels"], arrays["test_logits"].argmax(axis=1)
            counts += confusion_matrix(truth, answer)
            scores.append(f1_score(truth, answer, average=None))
    assert item is not None
    assert np.array_equal(item.counts, counts)
    assert np.allclose(item.f1, np.mean(scores, axis=0))
    assert item.sizes is not None
    assert item.sizes.sum() == 3 * CASES
    assert item.hits is not None
    assert item.hits.sum() == np.trace(counts)


def test_the_front_is_what_no_other_beats() -> None:
    points = [
        ((name, "linear"), cost, quality)
        for name, cost, quality in (
            ("a", 1.0, 5.0),
            ("b", 2.0, 4.0),
            ("c", 3.0, 9.0),
            ("d", 3.0, 8.0),
        )
    ]
    assert [name for (name, _), _, _ in front(points, True, False)] == ["a", "c"]
    assert [name for (name, _), _, _ in front(points, False, False)] == ["c"]
    assert [name for (name, _), _, _ in front(points, True, True)] == ["a", "b"]


def test_latencies_of_several_machines_are_never_drawn_together(study: Made) -> None:
    made = study()
    for k, (_, record) in enumerate(made.finished):
        record["cost"]["latency_ms"] = 1.0 + k
        record["environment"]["device"] = "cpu: one"
    for machine, is_drawn in (("cpu: one", True), ("cpu: another", False)):
        made.finished[0][1]["environment"]["device"] = machine
        [item] = paretos(made)
        assert ("latency_ms" in {cost for _, cost, _ in item.data["panels"]}) == is_drawn
        assert ("are of several machines, and not drawn" in item.caption) != is_drawn


def test_no_two_backbones_of_a_study_look_the_same() -> None:
    names = [f"b{k}" for k in range(56)]
    looks = Looks(names)
    assert len({(looks.colour(name), looks.marker(name)) for name in names}) == 56
    assert len({looks.colour(name) for name in names[:7]}) == 7


def test_a_backbone_looks_the_same_whichever_others_a_figure_shows(study: Made) -> None:
    made = study()
    for figure in (forests, paretos, seed_scatters, learning_curves, answer_figures):
        for item in figure(made):
            for name, place in item.data.get("looks", []):
                assert place == made.looks.place(name)
    assert [made.looks.place(name) for name in ("base", "good", "lost")] == [0, 1, 2]


def test_a_figure_of_too_many_models_shows_whole_adaptations_first() -> None:
    models = [(f"b{k}", name) for k in range(10) for name in ("full", "linear", "knn")]
    models = [model for model in models if model[1] == "linear" or model[0] < "b5"]
    chosen = drawn(models)
    assert len(chosen) == 12
    assert sum(name == "linear" for _, name in chosen) == 10
    equal = [(f"b{k}", name) for k in range(10) for name in ("full", "linear")]
    assert sum(name == "full" for _, name in drawn(equal)) == 10


def over_datasets(values: NDArray[Any], names: list[str] | str, correction: str = "holm") -> Study:
    """What a diagram reads, of values [models, datasets] in one repetition each."""
    made = ByHand()
    for name, row in zip(names, values, strict=True):
        for d, value in enumerate(row):
            made.add(name, [float(value)], dataset=f"d{d}")
    complete = list(completed(made.results(), made.values))
    return cast(
        "Study",
        SimpleNamespace(complete=complete, correction=correction, looks=Looks(names)),
    )


def test_a_rank_diagram_shows_demsars_groups(tmp_path: Path) -> None:
    """Demsar 2006, section 3.2.2: four models on 14 datasets, CD 1.25 at .05."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, 14)) / 10 + np.array([0, 0.05, 0.3, 0.33])[:, None]
    (item,) = rank_diagrams(over_datasets(values, "abcd"))
    means = rankdata(-values, axis=0).mean(axis=1)
    assert item.stem == "ranks-classification-linear"
    assert dict(item.data["ranks"]) == {
        name: pytest.approx(mean, abs=1e-5) for name, mean in zip("abcd", means, strict=True)
    }
    assert item.data["reach"] == pytest.approx(1.25, abs=0.005)
    places = sorted(means)
    runs = [(a, b) for a, b in combinations(places, 2) if b - a < item.data["reach"]]
    longest = [
        (a, b) for a, b in runs if not any(c <= a and b <= d for c, d in runs if (c, d) != (a, b))
    ]
    bars = [bar[:2] for bar in item.data["bars"] if bar[2] == ranks.NEMENYI]
    assert np.array(bars) == pytest.approx(np.array(longest), abs=1e-5)
    assert len(bars) > 1
    assert "Iman and Davenport" in item.caption
    assert "datasets are few" not in item.caption
    assert "light bars, those of which Wilcoxon's test tells no two apart, after Holm" in (
        item.caption
    )
    *_, png = drawing.write(item, tmp_path)
    with Image.open(png) as image:
        assert np.asarray(image.convert("L")).std() > 5


def test_few_datasets_have_a_diagram_that_says_so_and_long_names_fit_in_it(tmp_path: Path) -> None:
    names = [f"{ATTACK}-{k}-{'x' * 200}" for k in range(5)]
    (item,) = rank_diagrams(over_datasets(np.arange(15).reshape(5, 3), names))
    assert "3 datasets are few" in item.caption
    assert "light bars" not in item.caption
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert drawing.write(item, tmp_path)


@pytest.mark.parametrize(("models", "datasets"), [(2, 8), (5, 1), (5, 2)])
def test_too_few_of_either_have_no_diagram(models: int, datasets: int) -> None:
    values = np.random.default_rng(0).normal(size=(models, datasets))
    assert list(rank_diagrams(over_datasets(values, "abcde"[:models]))) == []


def test_ties_everywhere_and_too_many_models_have_no_diagram(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert list(rank_diagrams(over_datasets(np.ones((3, 4)), "abc"))) == []
    monkeypatch.setattr(ranks, "MOST", 3)
    assert list(rank_diagrams(over_datasets(np.arange(16).reshape(4, 4), "abcd"))) == []


def test_a_long_name_keeps_both_ends() -> None:
    assert drawing.shortened("a" * 40) == "a" * 40
    short = drawing.shortened("start" + "x" * 90 + "end", 20)
    assert (len(short), short[:5], short[-3:]) == (20, "start", "end")


def test_a_figure_that_cannot_be_written_is_one_error(study: Made, tmp_path: Path) -> None:
    from omnibench.errors import StoreError

    (tmp_path / "figures").write_text("a file where the folder goes")
    with pytest.raises(StoreError, match="could not be written"):
        draw_figures(study(), tmp_path / "figures")


def test_a_figure_from_outside_stands_in_page_and_document(
    study: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue.figures, "_entries", dict(catalogue.figures._entries))
    item = Drawing("mine", "Mine & theirs", "what it shows", "A line.", (2, 2), {"x": 1}, line)
    catalogue.register_figure(Figure("mine", "Mine", lambda study: [item] * (study.name != "")))
    study()
    assert "<summary>Mine &amp; theirs</summary>" in (tmp_path / "out/report.html").read_text()
    assert r"\includegraphics{figures/mine.pdf}" in (tmp_path / "out/report.tex").read_text()
    assert (tmp_path / "out/figures/mine.png").is_file()


def line(figure: Any) -> None:
    figure.subplots().plot([0, 1], [0, 1])


@pytest.mark.parametrize("when", ["gathering", "drawing"])
def test_a_figure_that_raises_is_named_and_the_others_are_drawn(
    study: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    when: str,
) -> None:
    def fails(_: Any) -> None:
        raise ValueError("no such thing")

    drawing = Drawing("bad", "Bad", "it fails", "", (2, 2), {}, fails)
    monkeypatch.setattr(catalogue.figures, "_entries", dict(catalogue.figures._entries))
    function: Any = fails if when == "gathering" else (lambda study: [drawing])
    catalogue.register_figure(Figure("bad", "Bad one", function, place=0))
    study()
    said = f"The figure 'Bad one' is left out, as it failed in {__file__}, line "
    assert said in capsys.readouterr().out
    page = (tmp_path / "out/report.html").read_text()
    assert "Bad one" in page and "ValueError: no such thing" in page
    assert "Bad one" in (tmp_path / "out/report.tex").read_text()
    assert (tmp_path / "out/figures/forest-classification.png").is_file()


def test_a_further_column_stands_in_results_and_costs_and_one_that_raises_is_left_out(
    study: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(catalogue.columns, "_entries", dict(catalogue.columns._entries))
    width = FurtherColumn("width", "width", lambda facts: len(facts.backbone.id), "letters", 0)
    for column in (
        width,
        replace(width, name="who", head="who", compute=lambda facts: facts.adaptation, unit=""),
        replace(width, name="cost", head="my cost", compute=lambda facts: 1234.5, table="costs"),
        replace(width, name="bad", head="bad", compute=lambda facts: 1 / 0),
    ):
        catalogue.register_column(column)
    study()
    text = (tmp_path / "out/dots-suite.md").read_text()
    heads, _, row = [line for line in text.splitlines() if line.startswith("|")][:3]
    assert heads == "| backbone | adaptation | macro-f1 | accuracy | auc | width (letters) | who |"
    assert row.endswith(" | 4 | linear |")
    page = (tmp_path / "out/report.html").read_text()
    assert "my cost (letters)" in page and "1,234" in page
    assert "bad" not in heads
    assert f"The column 'bad' is left out, as it failed in {__file__}, line " in caplog.text
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("register", "entry", "sentence"),
    [
        ("figure", len, "a figure is <built-in function len>, where a Figure is due"),
        ("figure", Figure("mine", "Mine", None), "the figure 'mine': `drawings` is no function"),  # type: ignore[arg-type]
        ("column", len, "a column is <built-in function len>, where a FurtherColumn is due"),
        ("column", FurtherColumn("mine", "m", 3), "the column 'mine': `compute` is no function"),  # type: ignore[arg-type]
        ("column", FurtherColumn("mine", "m", len, table="x"), "`table` is 'x', neither results"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_figure_or_column_is_refused_by_its_member(
    register: str, entry: Any, sentence: str
) -> None:
    registry = getattr(catalogue, f"{register}s")
    with pytest.raises(RequestError, match=re.escape(sentence)):
        registry.add("mine", entry)
    assert "mine" not in registry


def test_a_figure_that_cannot_be_imported_is_named(
    study: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(catalogue.figures, "_entries", dict(catalogue.figures._entries))
    catalogue.figures.add("mine", "no_such_module:figure")
    study()
    out = capsys.readouterr().out
    assert "The figure 'mine' is left out: 'no_such_module:figure' cannot be imported" in out
    assert (tmp_path / "out/figures/forest-classification.png").is_file()
