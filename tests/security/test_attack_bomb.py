"""The attacks' own check: without omnibench in between, the bomb goes off."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.security.attack_tools import Bomb


def test_the_bomb_goes_off(tmp_path: Path) -> None:
    for k, load in enumerate((unpickled, unsafe_torch, unsafe_numpy)):
        marker = tmp_path / f"ran-{k}"
        load(Bomb(marker), tmp_path / "file")
        assert marker.is_dir()


def unpickled(bomb: Any, path: Any) -> None:
    pickle.loads(pickle.dumps(bomb))


def unsafe_torch(bomb: Any, path: Any) -> None:
    torch.save({"a": bomb}, path)
    torch.load(path, weights_only=False)


def unsafe_numpy(bomb: Any, path: Any) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.array([bomb], object))
    np.load(path, allow_pickle=True)["a"]
