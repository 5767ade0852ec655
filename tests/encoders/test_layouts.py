"""Checkpoints of other layouts give what their original models give."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from omnibench.encoders.loading import load_weights
from tests.encoders.small_vits import SIZES, agree, drawn, features, saved, vit


def transformers_model(kind: str) -> tuple[Any, Any]:
    """An original of transformers, and timm's model for it with other weights."""
    import transformers as t

    torch.manual_seed(0)
    clip: dict[str, Any] = {**SIZES, "intermediate_size": 192, "image_size": 56, "patch_size": 14}
    dinov2: dict[str, Any] = {**SIZES, "image_size": 56, "patch_size": 14}
    if kind == "vit":
        original = t.ViTModel(t.ViTConfig(**clip, layer_norm_eps=1e-6))
        return original, vit("vit_small_patch16_224", 1, patch_size=14)
    if kind == "dinov2":
        return t.Dinov2Model(t.Dinov2Config(**dinov2)), vit(seed=1)
    if kind == "registers":
        registers = t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**dinov2))
        return registers, vit("vit_small_patch14_reg4_dinov2", 1)
    tower = t.CLIPVisionModel(t.CLIPVisionConfig(**clip, hidden_act="gelu"))
    return tower, vit("vit_base_patch16_clip_224", 1, patch_size=14)


@pytest.mark.parametrize("kind", ["vit", "dinov2", "registers", "clip"])
@pytest.mark.parametrize("written", ["save_pretrained", "state_dict", "wrapped"])
def test_a_model_of_transformers_gives_the_same_tokens_in_timm(
    tmp_path: Path, kind: str, written: str
) -> None:
    original, ours = transformers_model(kind)
    original = drawn(original)
    if written == "save_pretrained":
        original.save_pretrained(tmp_path)
        path = tmp_path / "model.safetensors"
    else:
        prefix = "" if written == "state_dict" else "module.encoder."
        state = {f"{prefix}{key}": value for key, value in original.state_dict().items()}
        path = saved(tmp_path / "w.pth", {"state_dict": state})
    coverage = load_weights(ours, path)
    expected, tokens = features(original), features(ours)
    if kind == "clip":  # its last_hidden_state is taken before the last norm
        expected = original.post_layernorm(expected).detach()
    assert agree(expected, tokens)
    assert coverage.loaded == coverage.total
    assert coverage.layout.startswith("transformers")
    assert any(
        item.endswith("q_proj, v_proj -> qkv") or "-> qkv" in item for item in coverage.joined
    )
    assert ("pooler.dense.weight" in coverage.dropped) == (kind == "vit")
    assert ("embeddings.mask_token" in coverage.dropped) == (kind in ("dinov2", "registers"))


def test_the_image_tower_of_a_whole_clip_model_is_taken(tmp_path: Path) -> None:
    import transformers as t

    torch.manual_seed(0)
    vision = {**SIZES, "image_size": 56, "patch_size": 14, "intermediate_size": 192}
    text = {**SIZES, "vocab_size": 20, "intermediate_size": 192, "max_position_embeddings": 17}
    config = t.CLIPConfig(vision_config=vision | {"hidden_act": "quick_gelu"}, text_config=text)
    original = drawn(t.CLIPModel(config))
    original.save_pretrained(tmp_path)
    ours = vit("vit_base_patch16_clip_quickgelu_224", 1, patch_size=14)
    coverage = load_weights(ours, tmp_path / "model.safetensors")
    tower = original.vision_model
    assert agree(tower.post_layernorm(features(tower)).detach(), features(ours))
    assert coverage.taken_from == "vision_model"
    assert "text_model (36 tensors)" in coverage.dropped


def openclip(model: Any) -> dict[str, Tensor]:
    """A timm ViT as open_clip and OpenAI's CLIP name it, beside a text tower of equal width."""
    names = (
        ("patch_embed.proj", "conv1"),
        ("pos_embed", "positional_embedding"),
        ("norm_pre", "ln_pre"),
        ("blocks.", "transformer.resblocks."),
        ("norm1", "ln_1"),
        ("norm2", "ln_2"),
        ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"),
        ("mlp.fc1", "mlp.c_fc"),
        ("mlp.fc2", "mlp.c_proj"),
    )
    state = {}
    for key, value in model.state_dict().items():
        for new, old in names:
            key = key.replace(new, old)
        key = {"norm.weight": "ln_post.weight", "norm.bias": "ln_post.bias"}.get(key, key)
        key, value = {
            "cls_token": ("class_embedding", value.flatten()),
            "positional_embedding": (key, value[0]),
        }.get(key, (key, value))
        state[f"visual.{key}"] = value
    towers = {k.removeprefix("visual."): -v for k, v in state.items() if "resblocks" in k}
    return {
        **towers,
        **state,
        "visual.proj": torch.ones(48, 8),
        "positional_embedding": torch.ones(7, 48),
        "token_embedding.weight": torch.ones(9, 48),
        "ln_final.weight": torch.ones(48),
        "logit_scale": torch.tensor(4.6),
    }


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_image_tower_of_openclip_is_taken_and_its_text_tower_dropped(
    tmp_path: Path, prefix: str
) -> None:
    original = vit("vit_base_patch16_clip_224", patch_size=14)
    state = {f"{prefix}{key}": value for key, value in openclip(original).items()}
    ours = vit("vit_base_patch16_clip_224", 1, patch_size=14)
    coverage = load_weights(ours, saved(tmp_path / "open_clip.bin", state))
    assert torch.equal(features(original), features(ours))
    assert coverage.taken_from == f"{prefix}visual"
    assert coverage.layout == "CLIP"
    assert f"{prefix}transformer (24 tensors)" in coverage.dropped
    assert "proj" in coverage.dropped
    assert "class_embedding -> cls_token" in coverage.renamed


def test_a_timm_tower_inside_openclip_is_taken(tmp_path: Path) -> None:
    original, ours = vit(), vit(seed=1)
    state = {f"visual.trunk.{key}": value for key, value in original.state_dict().items()}
    state["visual.head.proj.weight"] = state["text.ln_final.weight"] = torch.ones(8, 48)
    coverage = load_weights(ours, saved(tmp_path / "w.pt", state))
    assert torch.equal(features(original), features(ours))
    assert coverage.taken_from == "visual.trunk"
    assert set(coverage.dropped) == {"visual.head (1 tensor)", "text (1 tensor)"}


def test_a_dino_training_checkpoint_gives_its_teacher(tmp_path: Path) -> None:
    teacher, student, ours = vit(), vit(seed=2), vit(seed=1)
    head = {"head.mlp.0.weight": torch.ones(4, 48), "head.last_layer.weight_g": torch.ones(4, 1)}
    networks = {
        name: {
            f"{prefix}{key}": value
            for key, value in (
                {f"backbone.{k}": v for k, v in net.state_dict().items()} | head
            ).items()
        }
        for name, net, prefix in (("student", student, "module."), ("teacher", teacher, ""))
    }
    content = {
        **networks,
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_small"),
        "dino_loss": {"center": torch.zeros(1, 4)},
    }
    path = saved(tmp_path / "checkpoint.pth", content)
    coverage = load_weights(ours, path)
    assert torch.equal(features(teacher), features(ours))
    assert coverage.taken_from == "teacher.backbone"
    assert {"teacher.head (2 tensors)", "dino_loss (1 tensor)"} < set(coverage.dropped)
    assert any(item.startswith("student (") for item in coverage.dropped)
    assert "taken from teacher.backbone" in str(coverage)
    coverage = load_weights(ours, path, weights_key="student")
    assert torch.equal(features(student), features(ours))
    assert coverage.taken_from == "student.module.backbone"


def dinov2(model: Any, chunks: int) -> dict[str, Tensor]:
    """A timm DINOv2 as its authors' training writes it: blocks in chunks, registers apart."""
    state = {"mask_token": torch.ones(1, 48)}
    for key, value in model.state_dict().items():
        if key.startswith("blocks.") and chunks:
            block = int(key.split(".")[1])
            key = key.replace(f"blocks.{block}.", f"blocks.{block // chunks}.{block}.")
        state[key.replace("reg_token", "register_tokens")] = value
    if "register_tokens" in state:
        position = torch.full((1, 1, 48), 0.25)
        state["cls_token"] = state["cls_token"] - position
        state["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
    return state


@pytest.mark.parametrize("name", ["vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2"])
@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_a_dinov2_training_checkpoint_gives_its_teacher(
    tmp_path: Path, name: str, chunks: int
) -> None:
    original, ours = vit(name, depth=4), vit(name, 1, depth=4)
    backbone = {f"backbone.{k}": v for k, v in dinov2(original, chunks).items()}
    heads = {
        "dino_head.mlp.0.weight": torch.ones(4, 48),
        "ibot_head.mlp.0.weight": torch.ones(4, 48),
    }
    coverage = load_weights(ours, saved(tmp_path / "teacher.pth", {"teacher": backbone | heads}))
    assert torch.allclose(features(original), features(ours), atol=1e-5)
    assert coverage.taken_from == "teacher.backbone"
    assert "mask_token" in coverage.dropped
    assert "teacher.dino_head (1 tensor)" in coverage.dropped
    assert ("register_tokens -> reg_token" in coverage.renamed) == ("reg4" in name)
    assert ("blocks.*.*.norm1.weight -> blocks.*.norm1.weight" in coverage.renamed) == (chunks > 0)


def test_mae_loses_its_decoder_and_keeps_its_encoder(tmp_path: Path) -> None:
    original = vit("vit_base_patch16_224", patch_size=14)
    ours = vit("vit_base_patch16_224", 1, patch_size=14)
    decoder = {
        "mask_token": torch.ones(1, 1, 32),
        "decoder_pos_embed": torch.ones(1, 17, 32),
        "decoder_embed.weight": torch.ones(32, 48),
        "decoder_blocks.0.norm1.weight": torch.ones(32),
        "decoder_norm.weight": torch.ones(32),
        "decoder_pred.weight": torch.ones(588, 32),
    }
    content = {"model": original.state_dict() | decoder, "args": argparse.Namespace(lr=1.0)}
    coverage = load_weights(ours, saved(tmp_path / "mae.pth", content))
    assert torch.equal(features(original), features(ours))
    assert (coverage.layout, coverage.taken_from) == ("MAE", "model")
    assert len(coverage.dropped) == 6
    assert coverage.renamed == ()


def test_split_attention_is_joined_and_fused_attention_split(tmp_path: Path) -> None:
    original, ours = vit(), vit(seed=1)
    state = {}
    for key, value in original.state_dict().items():
        if ".qkv." in key:
            parts = value.chunk(3)
            state.update({key.replace("qkv", n): p for n, p in zip("qkv", parts, strict=True)})
        else:
            state[key] = value
    coverage = load_weights(ours, saved(tmp_path / "split.pth", state))
    assert torch.equal(features(original), features(ours))
    assert "blocks.*.attn.q.weight with k, v -> qkv" in coverage.joined

    torch.manual_seed(3)
    options: dict[str, Any] = {
        "embed_dim": 48,
        "depth": 2,
        "num_heads": 3,
        "num_classes": 0,
        "img_size": 56,
    }
    split = timm.create_model("eva02_tiny_patch14_224", **options, qkv_fused=False).eval()
    fused = timm.create_model("eva02_tiny_patch14_224", **options, qkv_fused=True, qkv_bias=False)
    assert any(".q_proj." in key for key in split.state_dict())
    weights = fused.state_dict()
    own = {k: v for k, v in split.state_dict().items() if k not in weights and "bias" in k}
    coverage = load_weights(split, saved(tmp_path / "fused.pth", weights | own))
    assert "blocks.*.attn.qkv.weight -> q_proj, k_proj, v_proj" in coverage.joined
    qkv = weights["blocks.1.attn.qkv.weight"].chunk(3)
    assert torch.equal(split.state_dict()["blocks.1.attn.k_proj.weight"], qkv[1])
