"""Figures: each where its data exist, what they show against independent references."""

import json

import numpy as np
import pytest
from page_records import ATTACK, CASES, Results
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score

from omnibench.report.figures import drawing
from omnibench.report.figures.answers import classified
from omnibench.report.figures.every import drawings
from omnibench.report.figures.pareto import front
from omnibench.report.write_page import write_page


@pytest.fixture
def study(tmp_path, monkeypatch):
    """What the command hands to the page."""
    from omnibench.commands import reporting

    results, handed = Results(tmp_path, monkeypatch), []
    monkeypatch.setattr(
        reporting, "write_page", lambda study, folder: handed.append(study) or [folder]
    )

    def made(**report):
        vars(results.suite.report).update(report)
        reporting.report("s", tmp_path / "out", reporting.Places(results=tmp_path))
        return handed[-1]

    made.results = results
    return made


def test_each_kind_is_drawn(study, tmp_path):
    found = {one.stem: one for one in drawings(study())}
    assert list(found) == [
        "forest-classification",
        "seeds-classification",
        "cost-classification",
        "confusion-classification-dots",
        "class-f1-classification-dots",
        "reliability-classification-dots",
        "curves-classification-dots",
    ]
    for one in found.values():
        json.dumps(one.data, allow_nan=False)
        assert len(one.alt) > 40
        pdf, png = drawing.write(one, tmp_path)
        assert pdf.read_bytes().startswith(b"%PDF")
        with Image.open(png) as image:
            assert image.width == round(160 * one.size[0])
            assert np.asarray(image.convert("L")).std() > 5  # something is on it


def test_without_baseline_epochs_or_logits_those_figures_are_absent(study):
    for path in study.results.folder.rglob("*.epochs.jsonl"):
        path.write_text("{broken")
    for path in study.results.folder.rglob("*.predictions.npz"):
        with np.load(path) as arrays:
            kept = {name: arrays[name] for name in arrays if name != "test_logits"}
        np.savez(path, **kept)
    stems = [one.stem for one in drawings(study(baseline=None))]
    assert stems == ["seeds-classification", "cost-classification"]


def test_unchanged_figures_are_not_drawn_again(study, tmp_path, monkeypatch):
    one = next(iter(drawings(study())))
    first = [path.read_bytes() for path in drawing.write(one, tmp_path)]
    monkeypatch.setattr(drawing, "_render", lambda *_: pytest.fail("drawn again"))
    assert [path.read_bytes() for path in drawing.write(one, tmp_path)] == first


def test_the_same_records_draw_the_same_bytes(study, tmp_path):
    made = study()
    for one in drawings(made):
        first, second = (drawing.write(one, tmp_path / name) for name in "ab")
        assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second], one.stem


def test_confusion_and_f1_against_scikit_learn(study):
    (found,) = classified(study())
    assert found.classes == ("no_dot", "dot & $x$", ATTACK)
    one = next(u for u in found.units if u.name == "good · linear")
    store, counts, scores = study.results.store, np.zeros((3, 3)), []
    for unit in study.results.units:
        if (unit.backbone.id, unit.short) != ("good", "linear"):
            continue
        for cell in unit.cells:
            with np.load(store.path(cell).with_suffix(".predictions.npz")) as arrays:
                truth, answer = arrays["test_labels"], arrays["test_logits"].argmax(axis=1)
            counts += confusion_matrix(truth, answer)
            scores.append(f1_score(truth, answer, average=None))
    assert np.array_equal(one.counts, counts)
    assert np.allclose(one.f1, np.mean(scores, axis=0))
    assert one.sizes.sum() == 3 * CASES
    assert one.hits.sum() == np.trace(counts)


def test_the_front_is_what_no_other_beats():
    points = [("a", 1.0, 5.0), ("b", 2.0, 4.0), ("c", 3.0, 9.0), ("d", 3.0, 8.0)]
    assert [name for name, _, _ in front(points, True, False)] == ["a", "c"]
    assert [name for name, _, _ in front(points, False, False)] == ["c"]
    assert [name for name, _, _ in front(points, True, True)] == ["a", "b"]


def test_a_figure_that_cannot_be_written_is_one_error(study, tmp_path):
    from omnibench.errors import StoreError

    (tmp_path / "figures").write_text("a file where the folder goes")
    with pytest.raises(StoreError, match="could not be written"):
        write_page(study(), tmp_path)
