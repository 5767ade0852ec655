"""The facts of architectures against timm and transformers themselves."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from timm.models import get_pretrained_cfg, list_pretrained
from timm.models._registry import _model_to_module

from omnibench.architecture import Architecture, architecture_of, completed, lookup
from omnibench.architecture.config_files import folder_facts
from omnibench.architecture.table import timm_facts
from omnibench.cards import BackboneCard
from omnibench.errors import RequestError

NAMES = sorted(timm.list_models())
# timm's modules whose models keep one grid of tokens, or one map, through all of their blocks.
ONE_GRID = {
    *("beit", "cait", "convit", "convmixer", "deit", "eva", "mlp_mixer", "naflexvit", "tnt"),
    *("vision_transformer", "vision_transformer_hybrid", "vision_transformer_relpos"),
    *("vision_transformer_sam", "vitamin", "xcit", "deepseek_vit", "gemma4_vit", "qwen3_vit"),
}
MERGED = ("merge", "align")


def of(source: str, data: Path = Path("nowhere"), **fields: Any) -> Architecture | None:
    return architecture_of(BackboneCard(id="x", source=source, **fields), data, data)


def known(facts: Architecture | None) -> Architecture:
    """Return facts that must be there."""
    assert facts is not None
    return facts


def small(count: int, seed: int) -> list[str]:
    """Names of models that are quick to build and run."""
    quick = [
        name
        for name in NAMES
        if (facts := timm_facts(name)) and facts.flops is not None and facts.flops < 3e9
    ]
    return random.Random(seed).sample(quick, count)


def built(name: str) -> Any:
    with torch.device("meta"):
        return timm.create_model(name, num_classes=0).eval().requires_grad_(False)


def test_the_table_has_every_name_of_timm_and_every_tag() -> None:
    tags = [tag for tag in list_pretrained() if tag.partition(".")[0] in NAMES]
    for name in (*NAMES, *tags):
        assert timm_facts(name) is not None


@pytest.mark.parametrize("name", small(50, seed=0))
@torch.inference_mode()
def test_a_sampled_architecture_is_as_timm_builds_and_runs_it(name: Any) -> None:
    facts, module = timm_facts(name), built(name)
    config = module.pretrained_cfg
    side = config["input_size"][-1]
    assert facts is not None
    assert facts.input_size == tuple(config["input_size"][1:])
    assert facts is not None
    assert (facts.mean, facts.std) == (tuple(config["mean"]), tuple(config["std"]))
    pixels = torch.zeros(1, 3, side, side, device="meta")
    features: Any = module.forward_features(pixels)
    maps = module.forward_intermediates(
        pixels, norm=False, output_fmt="NCHW", intermediates_only=True
    )
    assert facts is not None
    for stride, level in zip(facts.reductions, maps, strict=True):
        assert abs(side / stride - level.shape[-1]) <= 3  # unpadded convolutions lose some
    sides = {level.shape[-1] for level in maps}
    assert facts is not None
    assert (facts.kind == "vit") == (len(sides) == 1 and len(maps) > 4)
    assert facts is not None
    if facts.kind == "vit":
        assert facts is not None
        assert (facts.patch, facts.depth) == (side // sides.pop(), len(maps))
    if isinstance(features, torch.Tensor):
        channels_last = features.ndim == 3 or getattr(module, "output_fmt", "") == "NHWC"
        assert facts is not None
        assert facts.width == features.shape[-1 if channels_last else 1]
        if features.ndim == 3:
            assert facts.prefix_tokens is not None
            root: Any = int((features.shape[1] - facts.prefix_tokens) ** 0.5)
            assert facts is not None
            assert features.shape[1] == root**2 + facts.prefix_tokens
    assert facts is not None
    if not facts.prefix_tokens:
        assert facts is not None
        assert not facts.class_token


@pytest.mark.parametrize(
    ("name", "gflops"),  # twice the multiply-adds that the papers print
    [
        ("resnet50", 2 * 4.1),
        ("vit_base_patch16_224", 2 * 17.6),
        ("swin_tiny_patch4_window7_224", 2 * 4.5),
        ("convnext_tiny", 2 * 4.5),
        ("efficientnet_b0", 2 * 0.39),
        ("densenet121", 2 * 2.87),
    ],
)
def test_flops_are_those_of_the_papers(name: str, gflops: float) -> None:
    assert known(timm_facts(name)).flops == pytest.approx(gflops * 1e9, rel=0.03)


def test_200_names_by_one_statement_are_of_the_right_kind_and_none_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timm, "create_model", None)
    names = random.Random(1).sample(NAMES, 200)
    kinds = {name: known(of(f"random:{name}")).kind for name in names}
    wrong = {
        name: kind
        for name, kind in kinds.items()
        if (kind == "vit") != (_model_to_module[name] in ONE_GRID and not name.endswith(MERGED))
    }
    assert wrong == {}


def test_weights_have_the_statistics_and_the_size_that_timm_gives_their_tag() -> None:
    for tag in random.Random(2).sample(list_pretrained(), 300):
        facts, config = of(f"timm:{tag}"), get_pretrained_cfg(tag)
        assert facts is not None
        assert config is not None
        assert (facts.mean, facts.std) == (tuple(config.mean), tuple(config.std)), tag
        assert facts is not None
        assert config is not None
        assert facts.input_size == tuple(config.input_size[1:]), tag
        assert facts is not None
        assert facts.kind == known(timm_facts(tag.partition(".")[0])).kind


def test_the_pool_is_the_class_token_only_where_there_is_one() -> None:
    assert known(of("timm:vit_small_patch14_reg4_dinov2.lvd142m")).pool == "cls"
    assert known(of("timm:vit_base_patch16_siglip_224")).pool == "mean"  # no token at all
    assert known(of("timm:vit_medium_patch16_reg4_gap_256")).prefix_tokens == 4  # registers alone
    assert known(of("timm:vit_medium_patch16_reg4_gap_256")).pool == "mean"
    assert known(of("timm:resnet18")).pool == "mean"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("timm:vit_tiny_patch16_223", "did you mean vit_tiny_patch16_224"),
        ("timm:vit_base_patch16_224.dinos", "did you mean vit_base_patch16_224.dino"),
        ("random:resnet19", "did you mean resnet18"),
    ],
)
def test_an_unknown_name_is_refused_with_near_ones(source: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        of(source)


def test_every_draw_is_of_the_same_architecture() -> None:
    assert of("random:resnet18@7") == of("random:resnet18") == of("timm:resnet18")


def test_a_model_that_a_plug_in_registered_with_timm_is_unknown_and_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timm, "is_model", lambda name: name == "my_net")
    assert of("random:my_net") is None


def test_given_fields_stay_and_gaps_are_filled() -> None:
    facts = of("random:vit_tiny_patch16_224")
    card = BackboneCard(id="x", source="random:vit_tiny_patch16_224", pool="mean")
    assert facts is not None
    full = completed(card, facts)
    assert (full.width, full.depth, full.patch, full.prefix_tokens) == (192, 12, 16, 1)
    assert (full.pool, full.mean, full.flops) == ("mean", (0.5,) * 3, None)
    cnn = completed(BackboneCard(id="x", source="random:resnet18"), known(of("random:resnet18")))
    assert (cnn.width, cnn.patch, cnn.depth, cnn.pool) == (512, None, None, "mean")
    assert cnn.flops == pytest.approx(3.63e9, rel=0.01)


def test_flops_of_a_fixed_size_are_told_for_224_px() -> None:
    facts = Architecture("cnn", input_size=(448, 448), fixed=True, flops=4e9)
    assert completed(BackboneCard(id="x", source="random:x"), facts).flops == 1e9


def written(folder: Path, **files: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_a_hub_folder_in_timms_format_tells_what_its_arguments_change(tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "me--net"
    written(
        folder,
        config={
            "architecture": "vit_small_patch14_dinov2",
            "model_args": {"img_size": 98, "embed_dim": 48, "depth": 3, "reg_tokens": 2},
            "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]},
        },
    )
    (folder / "model.safetensors").touch()
    facts = of("hf_hub:me/net", tmp_path)
    assert facts is not None
    assert (facts.width, facts.depth, facts.patch, facts.prefix_tokens) == (48, 3, 14, 3)
    assert facts is not None
    assert (facts.mean, facts.std, facts.pool) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "cls")
    assert facts is not None
    assert facts.input_size == (98, 98)
    assert of("hf_hub:me/absent", tmp_path) is None
    assert known(of(f"file:{folder}", tmp_path, architecture="resnet18")).kind == "cnn"


@pytest.mark.parametrize(
    ("kind", "prefix", "options"),
    [
        ("ViT", 1, {}),
        ("DeiT", 2, {}),
        ("Dinov2WithRegisters", 5, {"num_register_tokens": 4}),
        ("DINOv3ViT", 5, {"num_register_tokens": 4}),
        ("ViTMAE", 1, {}),
        ("SiglipVision", 0, {}),
        ("CLIPVision", 1, {}),
    ],
)
@torch.inference_mode()
def test_a_transformers_folder_tells_what_the_model_gives(
    kind: str, prefix: int, options: dict[str, int], tmp_path: Path
) -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    config = getattr(transformers, f"{kind}Config")(
        **sizes, num_hidden_layers=2, image_size=64, patch_size=16, **options
    )
    module = getattr(transformers, f"{kind}Model")(config)
    module.save_pretrained(tmp_path)
    written(tmp_path, preprocessor_config={"image_mean": [0.1] * 3, "image_std": [0.2] * 3})
    facts: Any = folder_facts(tmp_path)
    if kind != "ViTMAE":  # which drops patches
        tokens = module(torch.zeros(1, 3, 64, 64)).last_hidden_state
        assert facts is not None
        assert tokens.shape == (1, facts.prefix_tokens + 16, facts.width)
    assert facts is not None
    assert (facts.kind, facts.width, facts.patch, facts.depth) == ("vit", 16, 16, 2)
    assert facts is not None
    assert (facts.prefix_tokens, facts.mean, facts.std) == (prefix, (0.1,) * 3, (0.2,) * 3)
    assert facts is not None
    assert facts.pool == ("cls" if prefix else "mean")
    assert facts is not None
    assert facts.input_size == (64, 64)


def test_of_clip_the_image_tower_counts_and_a_convnext_is_a_cnn(tmp_path: Path) -> None:
    transformers.CLIPConfig().save_pretrained(tmp_path / "clip")
    clip = folder_facts(tmp_path / "clip")
    assert clip is not None
    assert (clip.kind, clip.width, clip.patch, clip.prefix_tokens) == ("vit", 768, 32, 1)
    transformers.ConvNextConfig().save_pretrained(tmp_path / "cnn")
    cnn = folder_facts(tmp_path / "cnn")
    assert cnn is not None
    assert (cnn.kind, cnn.width, cnn.patch) == ("cnn", 768, None)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        "null",
        "[" * 100_000,
        '{"architecture": "no_such_net"}',
        '{"architecture": ["resnet18"]}',
        '{"architecture": "resnet18", "model_args": [1]}',
        '{"architecture": "resnet18", "pretrained_cfg": "x"}',
        '{"hidden_size": -1, "patch_size": 16, "num_hidden_layers": 2}',
        '{"hidden_size": true, "patch_size": 16, "num_hidden_layers": 2}',
        '{"hidden_size": 1e999, "patch_size": [16], "num_hidden_layers": "2"}',
        '{"hidden_size": ' + "9" * 5000 + "}",
        '{"vision_config": {"vision_config": {}}}',
        " " * 2_000_000 + '{"architecture": "resnet18"}',
    ],
)
def test_a_damaged_or_hostile_configuration_tells_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(content)
    assert folder_facts(tmp_path) is None


def test_hostile_numbers_in_a_good_configuration_are_left_out(tmp_path: Path) -> None:
    written(
        tmp_path,
        config={
            "architecture": "vit_tiny_patch16_224",
            "model_args": {"depth": 10**9, "reg_tokens": "many", "img_size": [1, 2, 3]},
            "pretrained_cfg": {"mean": [float("inf"), 0, 0], "std": [1, 1]},
        },
    )
    facts = folder_facts(tmp_path)
    assert facts is not None
    assert (facts.depth, facts.reductions, facts.prefix_tokens) == (None, (), 1)
    assert facts is not None
    assert facts.input_size == (224, 224)
    assert facts is not None
    assert (facts.mean, facts.std) == ((0.5,) * 3, (0.5,) * 3)  # the architecture's own


def test_a_pretraining_record_tells_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = {
        "architecture": "vit_tiny_patch16_224",
        "model_args": {"num_classes": 0, "img_size": 64, "init_values": 1.0},
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
    }
    assert of("record:01234567", tmp_path) is None
    monkeypatch.setattr(lookup, "find_weights_record", lambda results, digest: {"notes": notes})
    facts = of("record:01234567", tmp_path)
    assert facts is not None
    assert (facts.kind, facts.width, facts.patch, facts.depth) == ("vit", 192, 16, 12)
    assert facts is not None
    assert (facts.mean, facts.input_size) == ((0.1, 0.2, 0.3), (64, 64))


def test_facts_are_told_without_torch_or_timm() -> None:
    code = (
        "import sys; from pathlib import Path; from omnibench.cards import BackboneCard;"
        "from omnibench.architecture import architecture_of;"
        "card = BackboneCard(id='x', source='timm:resnet18');"
        "print(architecture_of(card, Path(), Path()).width, 'torch' in sys.modules,"
        " 'timm' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["512", "False", "False"]
