"""`linear` with the solver lbfgs: from a suite to its outcomes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.frozen import unit_features
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.stats.rates import softmax
from omnibench.suite import load
from omnibench.tasks.classification import logistic
from omnibench.tasks.classification.cases import cases_of
from tests.classification.test_runner import write_npz

SUITE = """
name: probes
repetitions: 3
backbones: [random-vit-nano]
matrix:
  - task: classification
    datasets: ["npz:data.npz"]
    adaptations: [{linear: {solver: lbfgs}}, linear]
    labels: [LABELS]
    recipe: RECIPE
"""


def units(
    folder: Path,
    labels: str = "100%",
    recipe: str = "{input_size: 32, precision: fp32}",
    **images: Any,
) -> list[Unit]:
    torch.set_num_threads(1)
    write_npz(folder / "data.npz", **images)
    path = folder / "suite.yaml"
    text = SUITE.replace("LABELS", labels).replace("RECIPE", recipe)
    path.write_text(text.replace(", linear]", "]") if "C:" in recipe else text)
    return list(load(str(path), Sources(folder, folder)).units)


def outcomes(unit: Unit, folder: Path) -> list[Any]:
    context = Context(folder / "results", folder / "cache")
    return list(tasks.get("classification").run(unit, context))


def test_a_probe_at_its_optimum_is_one_cell_and_varies_under_a_label_budget(
    tmp_path: Path,
) -> None:
    lbfgs, adamw = units(tmp_path)
    assert (adamw.short, lbfgs.short) == ("linear", "linear-slbfgs")
    assert (len(adamw.cells), len(lbfgs.cells)) == (3, 1)
    assert [len(unit.cells) for unit in units(tmp_path, "10%")] == [3, 3]


def test_what_adamw_alone_reads_decides_nothing_of_lbfgs(tmp_path: Path) -> None:
    first = units(tmp_path, recipe="{input_size: 32}")
    other = units(tmp_path, recipe="{input_size: 32, epochs: 5, weight_decay: 0.1}")
    assert first[1].cells[0].digest != other[1].cells[0].digest
    assert first[0].cells[0].digest == other[0].cells[0].digest
    assert "epochs" not in first[0].recipe


def test_a_wrong_solver_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(
        SUITE.replace("LABELS", "100%").replace("RECIPE", "small").replace("lbfgs", "newton")
    )
    with pytest.raises(RequestError, match=r"adaptations\[0\].linear.solver: .*'adamw' or 'lbfgs'"):
        load(str(path), Sources(tmp_path, tmp_path))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("labels", ["100%", "50%"])
def test_a_probes_probabilities_are_those_of_scikit_learn_at_the_chosen_strength(
    tmp_path: Path, classes: int, labels: str
) -> None:
    recipe = "{input_size: 32, precision: fp32, C: [0.001, 0.1, 10]}"
    unit = units(tmp_path, labels, recipe, classes=classes)[0]
    context = Context(tmp_path / "results", tmp_path / "cache")
    cases = cases_of(unit, context)
    arrays = unit_features(unit, cases.dataset.splits, context).arrays
    every = outcomes(unit, tmp_path)
    assert len(every) == len(unit.repetitions)
    for outcome in every:
        rows = cases.subset(unit, outcome.repetition).train
        scale = StandardScaler().fit(arrays["train"][rows].astype(np.float64))
        model = LogisticRegression(C=outcome.notes["chosen"]["C"], tol=1e-8, max_iter=20_000)
        model.fit(scale.transform(arrays["train"][rows]), cases.labels["train"][rows])
        expected = model.predict_proba(scale.transform(arrays["test"]))
        actual = softmax(outcome.predictions["test_logits"])
        assert np.abs(actual - expected).max() < 1e-3
        assert outcome.notes["lbfgs"]["not_converged"] == []
        assert len(outcome.notes["lbfgs"]["iterations"]) == 3


def test_a_repetitions_bits_do_not_depend_on_its_company(tmp_path: Path) -> None:
    unit = units(tmp_path, "10%")[0]
    together = outcomes(unit, tmp_path)
    (alone,) = outcomes(replace(unit, repetitions=(1,)), tmp_path)
    assert [outcome.repetition for outcome in together] == [0, 1, 2]
    for name, array in alone.predictions.items():
        assert np.array_equal(array, together[1].predictions[name])


def test_several_labels_have_a_head_each(tmp_path: Path) -> None:
    (outcome,) = outcomes(units(tmp_path, multi_label=True)[0], tmp_path)
    assert outcome.predictions["test_logits"].shape == (30, 3)
    assert outcome.metrics["omnirad-classification/auc-0"] > 0.9


def test_a_probe_that_has_not_converged_is_doubted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic, "ITERATIONS", 1)
    unit = units(tmp_path, recipe="{input_size: 32, precision: fp32, C: 1000000}")[0]
    (outcome,) = outcomes(unit, tmp_path)
    assert outcome.notes["lbfgs"]["not_converged"] == [1e6]
    (doubt,) = tasks.get("classification").doubts([{"notes": outcome.notes}], 30)
    assert doubt == "L-BFGS has not converged at the chosen C in 1 of 1 repetitions"
    notes = {**outcome.notes, "lbfgs": {"not_converged": []}}
    assert not list(tasks.get("classification").doubts([{"notes": notes}, {"notes": {}}], 30))
