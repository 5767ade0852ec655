"""Records and their files as they must not be: no command is taken down by one of them."""

from pathlib import Path

import pytest

from omnibench.predictions import predictions_path
from omnibench.record import as_bytes, read_record


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


def test_a_failure_s_message_reaches_the_terminal_without_what_it_would_obey(bench, two, tmp_path):
    suite, (path, *_) = two
    record = read_record(path)
    message = "gone\x1b[2J\x1b]0;owned\x07\nfailed: forged line"
    error = {"kind": "bug\x1b[31m", "message": message, "traceback": ""}
    path.write_bytes(as_bytes({**record, "status": "failed", "error": error, "files": {}}))
    status, out, err = bench("status", suite)
    assert status == 0
    assert "\x1b" not in out + err
    assert "\x07" not in out + err
    assert r"bug\x1b[31m: gone\x1b[2J\x1b]0;owned\x07 failed: forged line" in out
    assert out.count("\nfailed:") == 1


def test_a_name_in_an_error_reaches_the_terminal_without_what_it_would_obey(bench):
    status, out, err = bench("plan", "\x1b[2Jnone.yaml")
    assert (status, out, "\x1b" in err) == (2, "", False)
    assert r"unknown suite '\x1b[2Jnone.yaml'" in err
