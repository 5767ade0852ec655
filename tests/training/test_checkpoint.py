"""Checkpoints: whole or not used, the newest first, and written by their holder alone."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from omnibench.errors import LostLeaseError
from omnibench.training.checkpoint import Checkpoints


def state(step: int) -> dict[str, Any]:
    return {
        "step": step,
        "model": {"weight": torch.full((8, 8), float(step)), "ид": torch.arange(3)},
        "best": {"value": 0.5, "state": {}},
    }


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path / "cell")
    checkpoints.save(1, state(1))
    checkpoints.save(2, state(2))
    return checkpoints


def test_the_newest_state_comes_back_as_it_was(checkpoints: Checkpoints) -> None:
    loaded = checkpoints.load()
    assert loaded is not None
    assert loaded["step"] == 2
    assert loaded is not None
    assert torch.equal(loaded["model"]["weight"], torch.full((8, 8), 2.0))
    assert loaded is not None
    assert loaded["model"]["ид"].tolist() == [0, 1, 2]


def test_no_single_bit_flip_is_loaded_and_the_one_before_is_used(
    checkpoints: Any, caplog: pytest.LogCaptureFixture
) -> None:
    newest = checkpoints.paths[0]
    whole, rng = newest.read_bytes(), random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        newest.write_bytes(damaged)
        assert checkpoints.load()["step"] == 1
        assert not newest.exists()  # else it would count among the last ones that stay
    assert caplog.text.count(f"the checkpoint {newest} is damaged") == 400


@pytest.mark.parametrize("damage", ["cut", "empty", "longer", "without a checksum", "another's"])
def test_what_is_not_whole_is_started_over(checkpoints: Checkpoints, damage: str) -> None:
    newest, before = checkpoints.paths
    before.unlink()
    content = newest.read_bytes()
    newest.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "longer": content + b"\n",
            "without a checksum": content[: content.rindex(b"\nomnibench")],
            "another's": content[: content.rindex(b"\n")].replace(b"weight", b"weighs")
            + content[content.rindex(b"\n") :],
        }[damage]
    )
    assert checkpoints.load() is None


def test_a_checkpoint_of_another_version_is_named_so_and_not_used(
    checkpoints: Any, caplog: pytest.LogCaptureFixture
) -> None:
    newest = checkpoints.paths[0]
    newest.write_bytes(newest.read_bytes().replace(b"checkpoint 2 ", b"checkpoint 1 "))
    assert checkpoints.load()["step"] == 1
    assert f"{newest} is of another version of omnibench; the one before" in caplog.text


def test_a_file_of_torch_alone_is_no_checkpoint(checkpoints: Any) -> None:
    torch.save(state(3), checkpoints.folder / "step-000000003.pt")
    assert checkpoints.load()["step"] == 2


def test_whoever_lost_the_cell_neither_writes_nor_deletes(checkpoints: Checkpoints) -> None:
    def lost() -> None:
        raise LostLeaseError("taken over")

    late = Checkpoints(checkpoints.folder, keep=1, check=lost)
    before = {path: path.read_bytes() for path in checkpoints.folder.iterdir()}
    with pytest.raises(LostLeaseError):
        late.save(3, state(3))
    assert {path: path.read_bytes() for path in checkpoints.folder.iterdir()} == before
    successor: Any = Checkpoints(checkpoints.folder)
    assert successor.load()["step"] == 2  # goes on from what the earlier holder left
    successor.remove()
    with pytest.raises(LostLeaseError):
        late.save(3, state(3))
    assert not list(checkpoints.folder.glob("*"))


def test_a_pipe_in_a_checkpoints_place_is_no_checkpoint(
    checkpoints: Any, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(checkpoints.folder / "step-000000003.pt")
    assert checkpoints.load()["step"] == 2
    assert "step-000000003.pt is damaged" in caplog.text
