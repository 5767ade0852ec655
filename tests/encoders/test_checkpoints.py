"""Files that are no weights, or not the right ones, are one sentence; nothing is loaded."""

import io
import json
import os
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from omnibench.encoders.checkpoints import read_weights, state_dicts
from omnibench.encoders.loading import load_weights
from omnibench.errors import MissingWeightsError, WeightsError
from tests.encoders.small_vits import refused


def tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("model.pth")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 346\n"


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.ckpt", "w.bin"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty; get it again"),
        (LFS, "it is a git-LFS pointer; run `git lfs pull`"),
        (tar(b"x" * 99), "it is a tar or compressed archive; unpack it"),
        (b"\x1f\x8b" + b"x" * 99, "it is a tar or compressed archive; unpack it"),
        (b"<html>", "cannot be read as weights"),
    ],
)
def test_what_is_no_weights_file_is_told_by_name(
    tmp_path: Path, model: nn.Module, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in refused(model, tmp_path / name)


def test_a_truncated_file_is_refused(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        content = (tmp_path / name).read_bytes()
        for length in (9, 100, len(content) // 2, len(content) - 1):
            (tmp_path / name).write_bytes(content[:length])
            assert "cannot be read as weights" in refused(model, tmp_path / name)
    header = struct.pack("<Q", 2**60)
    (tmp_path / "w.safetensors").write_bytes(header + b"{}")
    assert "cannot be read as weights" in refused(model, tmp_path / "w.safetensors")


def sharded(folder: Path, state: dict[str, Tensor], suffix: str = "safetensors") -> Path:
    """Write a state in two shards with their index."""
    keys = list(state)
    halves = {f"m-{k}.{suffix}": keys[k::2] for k in range(2)}
    for name, own in halves.items():
        part = {key: state[key] for key in own}
        if suffix == "safetensors":
            save_file(part, folder / name)
        else:
            torch.save(part, folder / name)
    index = folder / f"model.{suffix}.index.json"
    weight_map = {key: name for name, own in halves.items() for key in own}
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return index


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_sharded_checkpoint_is_read_whole(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any], suffix: str
) -> None:
    coverage = load_weights(model, sharded(tmp_path, state, suffix))
    assert coverage.loaded == coverage.total
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_an_absent_shard_is_named(tmp_path: Path, model: nn.Module, state: dict[Any, Any]) -> None:
    index = sharded(tmp_path, state)
    (tmp_path / "m-1.safetensors").unlink()
    with pytest.raises(MissingWeightsError, match=r"index\.json names m-1\.safetensors, which is"):
        load_weights(model, index)


def test_a_shard_that_lacks_its_key_is_named(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    index = sharded(tmp_path, state)
    save_file({"x": torch.ones(1)}, tmp_path / "m-1.safetensors")
    assert "expects 'pos_embed' in m-1.safetensors, which lacks it" in refused(model, index)


@pytest.mark.parametrize("name", ["../m-1.safetensors", "/etc/passwd", "..", "a/../b", "a\\b", ""])
def test_an_index_leads_to_no_other_folder(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any], name: str
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    save_file(state, tmp_path / "m-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state, name)}))
    assert "which is not a file of its folder" in refused(model, index)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"weight_map": 3}', "[" * 99999, "x", '{"weight_map": [1]}']
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, model: nn.Module, content: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(content)
    assert "is no index of" in refused(model, tmp_path / "model.safetensors.index.json")


def test_read_weights_refuses_to_choose(tmp_path: Path, state: dict[Any, Any]) -> None:
    torch.save({"a": state, "b": dict(state)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"holds 2 state dicts \('a', 'b'\)"):
        read_weights(tmp_path / "w.pth")
    assert set(state_dicts(tmp_path / "w.pth")) == {"a", "b"}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_a_checkpoint_of_strange_things_is_a_sentence(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    cyclic: dict[str, Any] = {"state": {}}
    cyclic["state"]["again"] = cyclic
    deep: dict[str, Any] = {"x": torch.ones(1)}
    for _ in range(300):
        deep = {"x": deep}
    path = tmp_path / "w.pth"
    for content, reason in (
        (cyclic, "holds no state dict"),
        (deep, "holds no state dict"),
        (state | {"norm\n\x1b[2J": torch.ones(1)}, "it calls a tensor 'norm\\n\\x1b[2J'"),
        (state | {"x" * 999: torch.ones(1)}, "which no model does"),
        (state | {"norm.bias": torch.ones(64).to_sparse()}, "norm.bias as a sparse tensor"),
        (state | {"norm.bias": torch.ones(64, device="meta")}, "without its values"),
        (state | {"norm.bias": torch.ones(64, dtype=torch.complex64)}, "of another type (norm.b"),
        (state | {"pos_embed": torch.tensor(1.0)}, "does not fit"),
        (state | {"pos_embed": torch.ones(1, 1, 1, 7)}, "does not fit"),
        (state | {"cls_token": torch.ones(0)}, "does not fit"),
        ({**state, "blocks.0.attn.qkv.weight": torch.ones(191, 64)}, "does not fit"),
    ):
        torch.save(content, path)
        assert reason in refused(model, path)


def test_a_pipe_in_the_place_of_weights_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    os.mkfifo(path)
    with pytest.raises(WeightsError, match="is no plain file; name the file that holds"):
        state_dicts(path)
