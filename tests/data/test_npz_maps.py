"""Maps of numbers in an npz file: read as they are, or refused before a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data import Maps, npz
from omnibench.errors import DataError
from tests.conftest import Bench

DECLARED = "maps: {unit: mm, range: [0, 2]}"
SUITE = """
name: own
backbones: [{id: small, source: "random:test_efficientnet"}]
matrix:
  - task: dense
    datasets: ["npz:a.npz"]
    adaptations: [linear]
    recipe: {input_size: 32, epochs: 1, batch: 4}
"""


def save(folder: Path, declared: str = DECLARED, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (6, 16, 16), dtype=np.uint8)
        arrays[f"{split}_targets"] = rng.random((6, 16, 16))
    (folder / "a.yaml").write_text(declared)
    np.savez(folder / "a.npz", **arrays | changes)
    return folder / "a.npz"


def test_maps_and_what_is_valid_of_them_are_read(tmp_path: Path) -> None:
    valid = np.ones((6, 16, 16), bool)
    valid[0, :3] = False
    path = save(tmp_path, val_valid=valid)
    card = npz.card_of(path)
    assert card.tasks == ("dense",)
    assert card.maps is not None
    assert (card.maps.unit, card.maps.range) == ("mm", (0, 2))
    dataset = npz.read(card, tmp_path / "data")
    values, known = dataset.target("val", "maps", Maps).read_rows(np.array([0, 5]))
    with np.load(path) as arrays:
        np.testing.assert_array_equal(values, arrays["val_targets"][[0, 5]].astype(np.float32))
    np.testing.assert_array_equal(known, valid[[0, 5]])
    assert dataset.target("train", "maps", Maps).valid is None
    assert {"train_targets", "val_valid"} <= dataset.digests.keys()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"declared": ""},
            r"nothing says what they are in; write their unit and range into",
        ),
        ({"val_targets": np.zeros((6, 8, 8))}, r"val_targets is float64 \[6, 8, 8\] where floats"),
        ({"val_targets": np.zeros((6, 16, 16), int)}, "val_targets is int64"),
        ({"val_valid": np.zeros((6, 16, 16), int)}, "val_valid is int64 .* where truth values"),
        ({"declared": "maps: {unit: mm, range: [2, 0]}"}, "the smaller number first"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_headers(
    tmp_path: Path, changes: Any, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        npz.card_of(save(tmp_path, **changes))


def test_plan_names_what_the_numbers_hold(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SUITE)
    save(tmp_path, train_targets=np.full((6, 16, 16), np.nan))
    _, out, err = bench("plan", str(tmp_path / "s.yaml"))
    assert "holds nan in a valid pixel" in " ".join((out + err).split())
    save(tmp_path, train_targets=np.ones((6, 16, 16)))
    _, out, err = bench("plan", str(tmp_path / "s.yaml"))
    assert "there is nothing to learn" in " ".join((out + err).split())
