"""Which weights of a file a model takes, and which files it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import nn

from omnibench.encoders.loading import load_weights
from omnibench.errors import WeightsError
from tests.encoders.small_vits import features, refused, saved, vit

NAME = "test_vit"


@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
def test_positions_of_another_size_are_resampled_and_said(tmp_path: Path, name: str) -> None:
    original, ours = vit(name, img_size=84), vit(name, 1)
    state = original.state_dict()
    coverage = load_weights(ours, saved(tmp_path / "w.safetensors", state))
    prefix = 0 if "reg4" in name else 1
    expected = resample_abs_pos_embed(state["pos_embed"], (4, 4), num_prefix_tokens=prefix)
    assert torch.equal(ours.pos_embed, expected)
    assert coverage.resampled == (f"pos_embed (1, {36 + prefix}, 48) -> (1, {16 + prefix}, 48)",)
    assert "resampled pos_embed" in str(coverage)


@pytest.mark.parametrize(
    "prefix",
    [
        *("module.", "backbone.", "encoder.", "model.", "base_encoder.", "visual.", "vit."),
        *("_orig_mod.", "module.backbone.", "model.encoder.vit.", "_orig_mod.module.model."),
        "net.image_tower.",  # no known word, and the only place that fits
    ],
)
@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2", "resnet10t"])
def test_a_prefix_is_stripped_and_said(tmp_path: Path, prefix: str, name: str) -> None:
    def make(seed: int) -> Any:
        torch.manual_seed(seed)
        return vit(seed=seed) if "vit" in name else timm.create_model(name, num_classes=0).eval()

    original, ours = make(0), make(1)
    state = {f"{prefix}{key}": value for key, value in original.state_dict().items()}
    state["projector.0.weight"] = torch.ones(3)
    coverage = load_weights(ours, saved(tmp_path / "w.ckpt", {"state_dict": state, "epoch": 3}))
    assert torch.equal(features(original), features(ours))
    assert coverage.taken_from == f"state_dict.{prefix}".rstrip(".")
    assert coverage.dropped == ("state_dict.projector (1 tensor)",)


def test_timms_own_filter_reads_the_layouts_that_only_it_knows(tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = timm.create_model("convnext_atto", num_classes=0).eval()
    ours = timm.create_model("convnext_atto", num_classes=0).eval()
    state = {}
    for key, value in original.state_dict().items():
        stage = key.split(".")
        if key.startswith("stem."):
            key = key.replace("stem.", "downsample_layers.0.")
        elif ".downsample." in key:
            key = f"downsample_layers.{stage[1]}.{'.'.join(stage[3:])}"
        elif ".blocks." in key:
            key = key.replace(".blocks.", ".").replace("conv_dw", "dwconv")
            key = key.replace("mlp.fc1", "pwconv1").replace("mlp.fc2", "pwconv2")
        state[key.replace("head.norm.", "norm.")] = value
    coverage = load_weights(ours, saved(tmp_path / "convnext.pth", {"model": state}))
    assert torch.equal(features(original), features(ours))
    assert coverage.layout == "timm's filter"
    assert coverage.renamed


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
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path,
    model: nn.Module,
    state: dict[Any, Any],
    change: Callable[..., Any],
    reason: str,
    wrap: Callable[..., Any],
) -> None:
    torch.save(wrap(change(state)), tmp_path / "w.pth")
    assert reason in refused(model, tmp_path / "w.pth")


def test_a_value_that_is_not_finite_is_found_in_half_precision(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
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
def test_another_architecture_is_refused(
    tmp_path: Path, model: nn.Module, other: str, wrap: bool
) -> None:
    options: dict[str, Any] = {"depth": 1} if other.startswith("vit") else {}
    state = timm.create_model(other, num_classes=0, **options).state_dict()
    torch.save({"model": state, "ema": dict(state)} if wrap else state, tmp_path / "w.pth")
    assert "does not fit" in refused(model, tmp_path / "w.pth")


def test_a_vit_of_another_size_is_refused_with_both_shapes(
    tmp_path: Path, model: nn.Module
) -> None:
    state = timm.create_model(NAME, num_classes=0, embed_dim=96, num_heads=2).state_dict()
    torch.save({"teacher": {f"backbone.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    assert "patch embedding is (96, 3, 16, 16)" in refused(model, tmp_path / "w.pth")


def test_even_an_allowed_gap_has_its_bound(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    torch.save({"cls_token": state["cls_token"]}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"it fills only 1 of \d+ tensors"):
        load_weights(model, tmp_path / "w.pth", optional=("*",))


def test_two_sets_that_fit_equally_are_named_and_the_card_chooses(
    tmp_path: Path, model: Any, state: dict[Any, Any]
) -> None:
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


def test_a_teacher_of_many_students_is_no_answer(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    students = {f"teacher.student.{k}": dict(state) for k in "ab"}
    flat = {f"{place}.{key}": value for place, s in students.items() for key, value in s.items()}
    torch.save(flat, tmp_path / "w.pth")
    assert "weights_key='teacher.student.a' or 'teacher" in refused(model, tmp_path / "w.pth")


def test_a_fuller_set_is_taken_before_a_poorer_one(
    tmp_path: Path, model: Any, state: dict[Any, Any]
) -> None:
    part = {key: value + 1 for key, value in state.items() if not key.startswith("norm")}
    torch.save({"old": part, "best": state}, tmp_path / "w.pth")
    assert load_weights(model, tmp_path / "w.pth").taken_from == "best"
    assert torch.equal(model.norm.bias, state["norm.bias"])


def test_a_state_dict_three_deep_is_taken_only_by_name(
    tmp_path: Path, model: nn.Module, state: dict[Any, Any]
) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": {"b": {"c": state}}}, path)
    assert "weights_key='a.b.c' on the card" in refused(model, path)
    assert load_weights(model, path, "a.b.c").taken_from == "a.b.c"
    torch.save({"a": {"b": {"c": {"lr": 1}}}}, path)
    assert "holds no state dict; save the model's state_dict() alone" in refused(model, path)


@pytest.mark.parametrize("position", [(5,), (1, 26, 64), (1, 27, 9)])
def test_registers_whose_positions_do_not_fit_are_a_sentence(
    tmp_path: Path, position: tuple[Any, ...]
) -> None:
    ours = timm.create_model("vit_small_patch14_reg4_dinov2", num_classes=0, depth=1)
    state = ours.state_dict()
    state["register_tokens"] = state.pop("reg_token")
    for key in ("blocks.0.attn.qkv.weight", "blocks.0.attn.qkv.bias"):
        state[key.replace("qkv", "q")] = state.pop(key)
        state[key.replace("qkv", "k")] = state[key.replace("qkv", "v")] = torch.ones(2, 2)
    state["pos_embed"] = torch.ones(position)
    torch.save(state, tmp_path / "w.pth")
    assert "does not fit" in refused(ours, tmp_path / "w.pth")


def test_numbers_of_eight_bits_with_a_point_are_read(
    tmp_path: Path, model: Any, state: dict[Any, Any]
) -> None:
    torch.save({k: v.to(torch.float8_e4m3fn) for k, v in state.items()}, tmp_path / "w.pth")
    load_weights(model, tmp_path / "w.pth")
    assert torch.equal(model.cls_token, state["cls_token"].to(torch.float8_e4m3fn).float())
