"""Files that are no weights, or not the right ones, are one sentence; nothing is loaded."""

import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from omnibench.encoders.checkpoints import read_weights, state_dicts
from omnibench.encoders.loading import load_weights
from omnibench.errors import MissingWeightsError, WeightsError

NAME = "test_vit"


@pytest.fixture
def model() -> Any:
    torch.manual_seed(1)
    return timm.create_model(NAME, num_classes=0)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return timm.create_model(NAME, num_classes=0).state_dict()


def refused(model: Any, path: Path, weights_key: str | None = None) -> str:
    """The sentence by which a file is refused; the model keeps its own weights."""
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(model, path, weights_key)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence


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
def test_what_is_no_weights_file_is_told_by_name(tmp_path, model, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert reason in refused(model, tmp_path / name)


def test_a_truncated_file_is_refused(tmp_path, model, state):
    save_file(state, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        content = (tmp_path / name).read_bytes()
        for length in (9, 100, len(content) // 2, len(content) - 1):
            (tmp_path / name).write_bytes(content[:length])
            assert "cannot be read as weights" in refused(model, tmp_path / name)
    length = struct.pack("<Q", 2**60)
    (tmp_path / "w.safetensors").write_bytes(length + b"{}")
    assert "cannot be read as weights" in refused(model, tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: dict(list(s.items())[::2]), r"missing (pos_embed"),
        (lambda s: {k: v.to(torch.int8) for k, v in s.items()}, "another type (cls_token int8 wh"),
        (lambda s: s | {"norm.bias": s["norm.bias"] / 0.0}, "64 NaN or infinite values in norm.b"),
        (lambda s: s | {"blocks.6.norm1.bias": s["norm.bias"]}, "1 unexpected (blocks.6.norm1.bi"),
        (lambda s: s | {"blocks.0.ls1.gamma": s["norm.bias"]}, "1 unexpected (blocks.0.ls1.gamma"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": {f"x.{k}": s[k] for k in s}}])
def test_weights_that_do_not_fit_are_refused(tmp_path, model, state, change, reason, wrap):
    torch.save(wrap(change(state)), tmp_path / "w.pth")
    assert reason in refused(model, tmp_path / "w.pth")


def test_a_value_that_is_not_finite_is_found_in_half_precision(tmp_path, model, state):
    large = {key: torch.full_like(value, 6e4).half() for key, value in state.items()}
    torch.save(large, tmp_path / "w.pth")
    load_weights(model, tmp_path / "w.pth")  # only the sum of these overflows
    large["pos_embed"][0, 5, 7] = torch.nan
    torch.save(large, tmp_path / "w.pth")
    assert "1 NaN or infinite values in pos_embed" in refused(model, tmp_path / "w.pth")


@pytest.mark.parametrize(
    "other", ["test_vit3", "resnet10t", "vit_small_patch16_224", "test_byobnet"]
)
@pytest.mark.parametrize("wrap", [False, True])
def test_another_architecture_is_refused(tmp_path, model, other, wrap):
    options = {"depth": 1} if other.startswith("vit") else {}
    state = timm.create_model(other, num_classes=0, **options).state_dict()
    torch.save({"model": state, "ema": dict(state)} if wrap else state, tmp_path / "w.pth")
    assert "does not fit" in refused(model, tmp_path / "w.pth")


def test_a_vit_of_another_size_is_refused_with_both_shapes(tmp_path, model):
    state = timm.create_model(NAME, num_classes=0, embed_dim=96, num_heads=2).state_dict()
    torch.save({"teacher": {f"backbone.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    assert "patch embedding is (96, 3, 16, 16)" in refused(model, tmp_path / "w.pth")


def test_even_an_allowed_gap_has_its_bound(tmp_path, model, state):
    torch.save({"cls_token": state["cls_token"]}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"it fills only 1 of \d+ tensors"):
        load_weights(model, tmp_path / "w.pth", optional=("*",))


def test_two_sets_that_fit_equally_are_named_and_the_card_chooses(tmp_path, model, state):
    average = {key: value + 1 for key, value in state.items()}
    path = tmp_path / "w.pth"
    torch.save({"model": state, "model_ema": average}, path)
    assert "choose one by weights_key='model' or 'model_ema' on the card" in refused(model, path)
    coverage = load_weights(model, path, "model_ema")
    assert torch.equal(model.norm.bias, average["norm.bias"])
    assert coverage.taken_from == "model_ema"
    assert coverage.dropped == (f"model ({len(state)} tensors)",)
    assert "no weights under 'ema'; correct the card's weights_key" in refused(model, path, "ema")

    flat = state | {f"ema.{key}": value for key, value in average.items()}
    torch.save(flat, path)
    assert "weights_key='' or 'ema'" in refused(model, path)
    load_weights(model, path, "ema")
    assert torch.equal(model.norm.bias, average["norm.bias"])
    with pytest.raises(WeightsError, match=f"{len(state)} unexpected"):
        load_weights(model, path, "")


def test_a_teacher_of_many_students_is_no_answer(tmp_path, model, state):
    students = {f"teacher.student.{k}": dict(state) for k in "ab"}
    flat = {f"{place}.{key}": value for place, s in students.items() for key, value in s.items()}
    torch.save(flat, tmp_path / "w.pth")
    assert "weights_key='teacher.student.a' or 'teacher" in refused(model, tmp_path / "w.pth")


def test_a_fuller_set_is_taken_before_a_poorer_one(tmp_path, model, state):
    part = {key: value + 1 for key, value in state.items() if not key.startswith("norm")}
    torch.save({"old": part, "best": state}, tmp_path / "w.pth")
    assert load_weights(model, tmp_path / "w.pth").taken_from == "best"
    assert torch.equal(model.norm.bias, state["norm.bias"])


def test_a_state_dict_three_deep_is_taken_only_by_name(tmp_path, model, state):
    path = tmp_path / "w.pth"
    torch.save({"a": {"b": {"c": state}}}, path)
    assert "weights_key='a.b.c' on the card" in refused(model, path)
    assert load_weights(model, path, "a.b.c").taken_from == "a.b.c"
    torch.save({"a": {"b": {"c": {"lr": 1}}}}, path)
    assert "holds no state dict; save the model's state_dict() alone" in refused(model, path)


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
def test_a_sharded_checkpoint_is_read_whole(tmp_path, model, state, suffix):
    coverage = load_weights(model, sharded(tmp_path, state, suffix))
    assert coverage.loaded == coverage.total
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_an_absent_shard_is_named(tmp_path, model, state):
    index = sharded(tmp_path, state)
    (tmp_path / "m-1.safetensors").unlink()
    with pytest.raises(MissingWeightsError, match=r"index\.json names m-1\.safetensors, which is"):
        load_weights(model, index)


def test_a_shard_that_lacks_its_key_is_named(tmp_path, model, state):
    index = sharded(tmp_path, state)
    save_file({"x": torch.ones(1)}, tmp_path / "m-1.safetensors")
    assert "expects 'pos_embed' in m-1.safetensors, which lacks it" in refused(model, index)


@pytest.mark.parametrize("name", ["../m-1.safetensors", "/etc/passwd", "..", "a/../b", "a\\b", ""])
def test_an_index_leads_to_no_other_folder(tmp_path, model, state, name):
    folder = tmp_path / "inner"
    folder.mkdir()
    save_file(state, tmp_path / "m-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state, name)}))
    assert "which is not a file of its folder" in refused(model, index)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"weight_map": 3}', "[" * 99999, "x", '{"weight_map": [1]}']
)
def test_an_index_that_is_none_is_refused(tmp_path, model, content):
    (tmp_path / "model.safetensors.index.json").write_text(content)
    assert "is no index of" in refused(model, tmp_path / "model.safetensors.index.json")


def test_read_weights_refuses_to_choose(tmp_path, state):
    torch.save({"a": state, "b": dict(state)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"holds 2 state dicts \('a', 'b'\)"):
        read_weights(tmp_path / "w.pth")
    assert set(state_dicts(tmp_path / "w.pth")) == {"a", "b"}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
def test_a_checkpoint_of_strange_things_is_a_sentence(tmp_path, model, state):
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


@pytest.mark.parametrize("position", [(5,), (1, 26, 64), (1, 27, 9)])
def test_registers_whose_positions_do_not_fit_are_a_sentence(tmp_path, position):
    ours = timm.create_model("vit_small_patch14_reg4_dinov2", num_classes=0, depth=1)
    state = ours.state_dict()
    state["register_tokens"] = state.pop("reg_token")
    for key in ("blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"):
        state[key.replace("qkv", "q")] = state.pop(key)
        state[key.replace("qkv", "k")] = state[key.replace("qkv", "v")] = torch.ones(2, 2)
    state["pos_embed"] = torch.ones(position)
    torch.save(state, tmp_path / "w.pth")
    assert "does not fit" in refused(ours, tmp_path / "w.pth")


def test_numbers_of_eight_bits_with_a_point_are_read(tmp_path, model, state):
    torch.save({k: v.to(torch.float8_e4m3fn) for k, v in state.items()}, tmp_path / "w.pth")
    load_weights(model, tmp_path / "w.pth")
    assert torch.equal(model.cls_token, state["cls_token"].to(torch.float8_e4m3fn).float())
