"""Units of quantitative MRI: outcomes, kept labels, and what is refused before they run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.catalogue import tasks
from omnibench.data.subset import unit_dataset
from omnibench.errors import DataError, RequestError
from omnibench.sources import Sources
from omnibench.suite import load
from omnibench.task import Outcome
from omnibench.tasks.qmri import runner
from omnibench.tasks.qmri.fit import fit
from tests.qmri.conftest import Make

FEW: dict[str, Any] = {"epochs": 10, "starts": 2, "lr": 1e-2}


def outcomes(make: Make, *arguments: Any, **options: Any) -> list[Outcome]:
    unit, context = make(*arguments, **options)
    return list(tasks.get("qmri").run(unit, context))


def value(outcome: Outcome, name: str) -> float:
    number = outcome.metrics[name]
    assert number is not None
    return number


def test_the_fit_has_less_bias_and_more_spread_than_a_network_of_the_truth(make: Make) -> None:
    (squares,) = outcomes(make, "fit", recipe={"limit": 12}, likelihood="gaussian")
    (network,) = outcomes(make, "mlp", recipe={**FEW, "epochs": 60})
    bias, sd = "estimates/bias-df", "estimates/sd-df"
    assert value(squares, bias) < value(network, bias)
    assert value(squares, sd) > value(network, sd)
    assert value(network, "cramer-rao/below-df") == 1  # so it is biased
    assert squares.predictions["test_estimates"].shape == (12, 100, 4)
    assert squares.cost["trainable_parameters"] == 0
    assert network.cost["trainable_parameters"] == 3 * 110 + 44
    assert network.notes["b_values"][:2] == [0, 10]


def test_repetitions_differ_and_are_the_same_alone(make: Make) -> None:
    first, second = outcomes(make, "mlp", (0, 1), FEW)
    (alone,) = outcomes(make, "mlp", (1,), FEW)
    estimates = "test_estimates"
    assert not np.array_equal(first.predictions[estimates], second.predictions[estimates])
    assert np.array_equal(alone.predictions[estimates], second.predictions[estimates])
    assert alone.metrics == second.metrics


def test_fitted_labels_are_made_once_and_are_the_fits(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {**FEW, "epochs": 2, "limit": 40}
    (first,) = outcomes(make, "mlp", (0,), recipe, trained_on="fitted")
    (truth,) = outcomes(make, "mlp", (0,), recipe)
    assert first.notes["trained_on"] == "fitted"
    assert first.metrics != truth.metrics
    unit, context = make("mlp", (0,), recipe, trained_on="fitted")
    train = runner.voxels_of(unit_dataset(unit, context), "train")
    stored = runner.fitted_labels(unit, context, "train", train)
    again = fit(train.signals[:, 0], train.protocol, "rician").parameters
    assert np.array_equal(stored, again.astype(np.float32))
    monkeypatch.setattr(runner, "fit", None)  # what is kept is not fitted again
    (second,) = outcomes(make, "mlp", (0,), recipe, trained_on="fitted")
    assert second.metrics == first.metrics


def test_one_draw_of_the_noise_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnibench.data.ivim.reader.DRAWS", 1)
    unit, context = make("fit")
    data = context.data / "another"  # of which nothing was read before
    with pytest.raises(DataError, match="one draw of the noise of each voxel, of which"):
        list(tasks.get("qmri").run(unit, type(context)(context.results, data)))


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (
            {"adaptations": [{"mlp": {"trained_on": "guessed"}}]},
            r"mlp.trained_on: .*'truth' or 'fitted'",
        ),
        ({"adaptations": [{"fit": {"likelihood": "poisson"}}]}, r"fit.likelihood: .*'rician'"),
        ({"adaptations": [{"fit": {"trained_on": "truth"}}]}, r"fit.trained_on"),
        ({"recipe": {"epochs": 0}}, r"epochs: .*greater than 0"),
        ({"recipe": {"starts": 0}}, r"starts: .*greater than"),
        ({"recipe": {"lr": float("nan")}}, r"lr"),
        ({"datasets": ["phantom"]}, r"'phantom' serves classification.*not qmri"),
        ({"labels": ["10%"]}, r"label"),
    ],
)
def test_wrong_requests_are_refused(tmp_path: Path, block: dict[str, Any], sentence: str) -> None:
    whole = {"task": "qmri", "datasets": ["ivim"], "adaptations": ["mlp"], **block}
    suite = {"name": "s", "backbones": ["pixels"], "matrix": [whole]}
    with pytest.raises(RequestError, match=sentence):
        load(suite, Sources(tmp_path, tmp_path))


def test_backbones_that_need_an_image_are_refused_before_they_run(make: Make) -> None:
    unit, _ = make()
    task = tasks.get("qmri")
    assert list(task.refusals(unit, {})) == []
    card = unit.backbone.model_copy(update={"id": "random-conv"})
    (sentence,) = task.refusals(replace(unit, backbone=card), {})
    assert "random-conv has nothing to look at; write `backbones: [pixels]`" in sentence


def test_estimates_below_the_bound_are_a_doubt() -> None:
    records = [{"metrics": {"cramer-rao/below-f": 0.9, "cramer-rao/below-ds": 0.1}}]
    (doubt,) = tasks.get("qmri").doubts(records, 125)
    assert doubt.startswith("estimates of f are biased: at 90% of the true parameters")
