"""What leaves the machine names no patient, no path and no image, and holds the same numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.bundles.portable import portable, without_paths
from omnibench.cell import Unit
from omnibench.record import blank, checksum, parse_record
from omnibench.record_files import packed, read_predictions
from omnibench.store import RecordStore

PATIENTS = np.array(["p-0412", "anna", "p-0033", "anna", "zoe"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/anna/x.npz is damaged", "(a path) is damaged"),
        ("the file '/home/anna b/c d/x.npz' is damaged", "the file '(a path)' is damaged"),
        ("/home/anna b/c d/x.npz is damaged; copy it", "(a path) is damaged; copy it"),
        ("~anna/data and ~/x", "(a path)"),
        (r"C:\\Users\\anna\\x.npz (gone)", "(a path) (gone)"),
        (r"\\\\server\\share\\x", "(a path)"),
        ("npz:/data/anna/x.npz", "npz:(a path)"),
        ("file:///home/anna/x", "file://(a path)"),
        ("put //server/anna/x there", "put (a path) there"),
        ("anna_017.PNG cannot be read", "(an image) cannot be read"),
        ("scan/anna.nii.gz, 3 more", "(an image), 3 more"),
        ("hf_hub:owner/name at 24 images/s, macro-f1 / auc", None),
        ("https://example.org/a is out of reach", None),
    ],
)
def test_paths_and_images_leave_texts(text: str, expected: str | None) -> None:
    assert without_paths(text) == (text if expected is None else expected)


@pytest.fixture(params=["arrays", "texts"])
def path(
    request: pytest.FixtureRequest, unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The record of a cell that names patients, images, paths and a person, as older ones do."""
    cell = unit.cells[0]
    predictions: dict[str, Any] = {"test_case": np.arange(5), "test_score": np.arange(5) / 7}
    texts = request.param == "texts"
    predictions["test_group"] = PATIENTS.astype(object) if texts else PATIENTS
    record = {
        **blank(cell),
        "status": "failed",
        "error": {
            "kind": "data",
            "message": "/home/anna/x.npz is damaged",
            "traceback": 'File "/home/anna/omnibench/x.py"',
        },
        "notes": {
            "data": {"warnings": ["in train and in test: 1 group (patients), such as p-0412"]},
            "unreadable": ["p-0412.dcm"],
        },
    }
    monkeypatch.setattr("omnibench.record_files.without_ids", dict)
    return RecordStore(tmp_path / "results").write(cell, record, predictions)


def test_nobody_is_named_and_numbers_stay(path: Path, tmp_path: Path) -> None:
    record = parse_record(path.read_bytes(), path)
    made = portable(path, record)
    whole = b"".join([made.content, *(c for c in made.files.values() if isinstance(c, bytes))])
    for name in (b"anna", b"p-0412", b"zoe", b"p-0033", str(tmp_path).encode()):
        assert name not in whole
    again = parse_record(made.content, path)
    assert (again["digest"], again["spec"]) == (record["digest"], record["spec"])
    copy = tmp_path / path.name
    copy.write_bytes(made.content)
    for ending, content in made.files.items():
        assert isinstance(content, bytes)
        assert again["files"][ending] == checksum(content)
        copy.with_suffix(f".{ending}").write_bytes(content)
    before, after = read_predictions(path), read_predictions(copy)
    assert after["test_group"].tolist() == ["2", "0", "1", "0", "3"]
    # As the statistics over patients see them, and in the order in which they add them.
    for arrays in (before, after):
        assert np.unique(arrays["test_group"], return_inverse=True)[1].tolist() == [2, 0, 1, 0, 3]
    np.testing.assert_array_equal(before["test_score"], after["test_score"])


def test_a_portable_record_is_made_of_itself(path: Path, tmp_path: Path) -> None:
    first = portable(path, parse_record(path.read_bytes(), path))
    copy = tmp_path / path.name
    copy.write_bytes(first.content)
    for ending, content in first.files.items():
        assert isinstance(content, bytes)
        copy.with_suffix(f".{ending}").write_bytes(content)
    second = portable(copy, parse_record(first.content, copy))
    assert second.content == first.content
    assert all(isinstance(content, Path) for content in second.files.values())


def test_a_record_that_names_nobody_stays_as_it_is(unit: Unit, tmp_path: Path) -> None:
    cell = unit.cells[0]
    record = {**blank(cell), "status": "done", "metrics": {"a/b": 1 / 3}}
    predictions = {"test_case": np.arange(3), "test_group": np.array(["0", "1", "2"])}
    path = RecordStore(tmp_path / "results").write(cell, record, predictions)
    made = portable(path, parse_record(path.read_bytes(), path))
    assert made.content == path.read_bytes()
    assert list(made.files) == list(packed(predictions))
