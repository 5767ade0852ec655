"""The task `my-task`: its metric against a closed form, and a suite that runs to its end."""

from pathlib import Path

import numpy as np

import omnibench

HERE = Path(__file__).parent


def test_the_error_is_the_mean_of_absolute_differences() -> None:
    from my_task import over_images

    predictions = {"test_numbers": np.array([1.0, 5.0]), "test_references": np.array([2.0, 2.0])}
    assert over_images(predictions) == {"mae": 2.0}


def test_every_cell_is_done(tmp_path: Path) -> None:
    suite = HERE / "my_task.yaml"
    cells = omnibench.run(suite, backbones="random-vit-nano", repetitions=[0], results=tmp_path)
    assert list(cells["state"]) == ["done"], list(cells["error"])
    metrics = omnibench.results(suite, results=tmp_path)
    assert metrics["value"].between(0, 255).all()
