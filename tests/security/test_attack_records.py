"""Records and their files as they must not be: no command is taken down by one of them."""

from pathlib import Path

import pytest

from omnibench.predictions import predictions_path


@pytest.fixture
def two(plant, tmp_path) -> tuple[Path, list[Path]]:
    """A suite of two backbones, three repetitions each, and its records."""
    suite = tmp_path / "two.yaml"
    suite.write_text(
        "name: two\nrepetitions: 3\n"
        "backbones: [{id: v, source: 'random:test_vit', pool: cls}, random-vit-tiny]\n"
        "matrix: [{task: classification, datasets: [phantom], adaptations: [linear]}]\n"
        "report: {baseline: v}\n"
    )
    return suite, [path for _, path in plant(suite)]


def test_damaged_predictions_are_left_out_of_a_comparison_by_name(bench, two, caplog):
    _, records = two
    damaged = predictions_path(records[0])
    damaged.write_bytes(damaged.read_bytes()[:-3])
    status, out, err = bench("compare", "v", "random-vit-tiny")
    assert status == 0, err
    assert f"{damaged} is damaged: it is not as it was written; its cell is left out" in caplog.text
    assert "Traceback" not in out + err
