"""Records and their files as they must not be: no command is taken down by one of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.record import as_bytes, load_record, read_record
from omnibench.record_files import predictions_path
from tests.conftest import Bench

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def two(plant: Any, tmp_path: Path) -> tuple[Path, list[Path]]:
    """A suite of two backbones, three repetitions each, and its records."""
    suite = tmp_path / "two.yaml"
    suite.write_text(
        "name: two\nrepetitions: 3\n"
        "backbones: [{id: v, source: 'random:test_vit', pool: cls}, random-vit-tiny]\n"
        "matrix: [{task: classification, datasets: [phantom], adaptations: [linear]}]\n"
        "report: {baseline: v}\n"
    )
    return suite, [path for _, path in plant(suite)]


def test_damaged_predictions_are_left_out_of_a_comparison_by_name(
    bench: Bench, two: tuple[Path, list[Path]], caplog: pytest.LogCaptureFixture
) -> None:
    _, records = two
    damaged = predictions_path(records[0])
    damaged.write_bytes(damaged.read_bytes()[:-3])
    status, out, err = bench("compare", "v", "random-vit-tiny")
    assert status == 0, err
    assert f"{damaged} is damaged: it is not as it was written; its cell is left out" in caplog.text
    assert "Traceback" not in out + err


def test_a_failure_s_message_reaches_the_terminal_without_what_it_would_obey(
    bench: Bench, two: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    suite, (path, *_) = two
    record: Any = read_record(path)
    message = "gone\x1b[2J\x1b]0;owned\x07\nfailed: forged line"
    error = {"kind": "bug\x1b[31m", "message": message, "traceback": ""}
    path.write_bytes(as_bytes({**record, "status": "failed", "error": error, "files": {}}))
    status, out, err = bench("status", suite)
    assert status == 0
    assert "\x1b" not in out + err
    assert "\x07" not in out + err
    assert r"bug\x1b[31m: gone\x1b[2J\x1b]0;owned\x07 failed: forged line" in out
    assert out.count("\nfailed:") == 1


def test_a_name_in_an_error_reaches_the_terminal_without_what_it_would_obey(bench: Bench) -> None:
    status, out, err = bench("plan", "\x1b[2Jnone.yaml")
    assert (status, out, "\x1b" in err) == (2, "", False)
    assert r"unknown suite '\x1b[2Jnone.yaml'" in err


MALFORMED = [
    {"metrics": []},
    {"metrics": {"omnirad-classification/auc": 10**400}},
    {"cost": {"trainable_parameters": 10**400}},
    {"error": "boom"},
    {"environment": {"packages": "x"}},
    {"environment": {"packages": {"torch": 1}}},
    {"environment": {"plugins": 3}},
    {"environment": {"precision": []}},
    {"spec": {"backbone": 7}},
    {"spec": {"adaptation": "none"}},
    {"spec": {"task": "none"}},
    {"spec": {"decodings": [[]]}},
    {"files": {"../../x": "sha256:0"}},
    {"files": []},
]


@pytest.mark.parametrize("change", MALFORMED, ids=str)
def test_a_malformed_record_with_a_right_checksum_takes_no_command_down(
    bench: Bench,
    two: tuple[Path, list[Path]],
    tmp_path: Path,
    change: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    suite, (path, *_) = two
    record = read_record(path)
    assert record is not None
    change = {
        key: {**record[key], **value} if isinstance(value, dict) and value else value
        for key, value in change.items()
    }
    path.write_bytes(as_bytes({**record, **change}))
    status, out, err = bench("status", suite)
    assert (status, "5 done, 0 failed, 1 missing" in out) == (0, True), out + err
    commands = (
        ("plan", suite),
        ("list", "backbones"),
        ("compare", "v", "random-vit-tiny"),
        ("power", suite, "--margin", "1"),
        ("rescore", suite),
    )
    for command in commands:
        status, out, err = bench(*command)
        assert (status, "Traceback" in out + err) == (0, False), (command, err)
    assert str(path) in caplog.text


@pytest.mark.parametrize("damaged", ["record", "predictions"])
def test_run_heals_what_is_damaged(
    bench: Bench, suite: Any, arrays: dict[str, Any], tmp_path: Path, damaged: str
) -> None:
    np.savez(tmp_path / "good.npz", **arrays)
    path = suite("npz:good.npz")
    assert bench("run", path)[0] == 0
    [record] = (tmp_path / "results" / "records").rglob("rep-*.json")
    file = record if damaged == "record" else predictions_path(record)
    whole = load_record(record)["metrics"]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "0 done, 0 failed, 1 missing" in bench("status", path)[1]
    assert bench("run", path)[0] == 0
    assert "1 done" in bench("status", path)[1]
    assert load_record(record)["metrics"] == whole
