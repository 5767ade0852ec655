"""The same weights are the same backbone, however they were registered."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

import omnibench.encoders.subject as subject
from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones
from omnibench.context import Context
from omnibench.encoders.conformance import conformance
from omnibench.estimate import estimate
from omnibench.execute import execute_unit
from omnibench.features import FeatureStore, feature_key
from omnibench.session import Places, Session
from tests.identity.bright_images import write_bright_images

# With registers, with rotary positions, with a norm before the blocks, MAE's, and a CNN: by
# architecture what a full card says of it.
VIT = {"pool": "cls", "depth": 12, "patch": 16, "prefix_tokens": 1}
FAMILIES: Any = {
    "vit_small_patch14_reg4_dinov2": {**VIT, "width": 384, "patch": 14, "prefix_tokens": 5},
    "vit_small_patch16_dinov3": {**VIT, "width": 384, "prefix_tokens": 5},
    "vit_xsmall_patch16_clip_224": {**VIT, "width": 256, "depth": 10},
    "vit_tiny_patch16_224": {**VIT, "width": 192},
    "resnet10t": {"pool": "mean", "width": 512},
}
MAE = "vit_tiny_patch16_224"
SIZES = {"width", "depth", "patch", "prefix_tokens", "pool", "mean", "std", "flops"}
SUITE = """
name: parity
repetitions: 2
backbones: [{backbone}]
matrix:
  - task: classification
    datasets: ['npz:two.npz']
    adaptations: [linear, head, full, {{lora: {{r: 2, alpha: 2}}}}]
    recipe: {{input_size: {size}, epochs: 2}}
"""


@pytest.fixture(params=FAMILIES)
def name(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def ways(name: Any, tmp_path: Path) -> dict[str, Any]:
    """The card of each way to one backbone; None where the suite writes it inline."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: Any = timm.create_model(name, pretrained=False, num_classes=0)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    # MAE's authors publish it with the decoder and its mask token.
    decoder = {"mask_token": torch.ones(1, 1, 8), "decoder_embed.weight": torch.ones(8, 192)}
    torch.save({"model": state | decoder if name == MAE else state}, tmp_path / "weights.pth")
    local = tmp_path / "local"
    local.mkdir()
    save_file(state, local / "model.safetensors")
    (local / "config.json").write_text(json.dumps({"architecture": name, "num_classes": 0}))
    statistics = {key: model.pretrained_cfg[key] for key in ("mean", "std")}
    drawn, file = f"random:{name}", f"file:{tmp_path / 'weights.pth'}"
    return {
        "full card": BackboneCard(id="same", source=drawn, **FAMILIES[name], **statistics),
        "one statement": BackboneCard(id="same", source=drawn),
        "inline": None,
        "file": BackboneCard(id="same", source=file, architecture=name),
        "folder": BackboneCard(id="same", source=f"file:{local}"),
    }


def side(name: Any) -> Any:
    """An input size of few patches, or of a CNN's last stride."""
    return 4 * FAMILIES[name].get("patch", 16)


def facts_of(folder: Path, name: Any, card: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the suite makes of a backbone: recipes, precision, features, metrics, hours, sizes."""
    monkeypatch.delitem(backbones._entries, "same", raising=False)
    if card is not None:
        monkeypatch.setitem(backbones._entries, "same", card)
    folder.mkdir()
    write_bright_images(folder / "two.npz", 16, 40)
    inline = f"{{id: same, source: 'random:{name}'}}"
    (folder / "parity.yaml").write_text(
        SUITE.format(backbone="same" if card else inline, size=side(name))
    )
    session = Session.open(Places(results=folder / "results", data=folder / "data"))
    context = session.context("cpu")
    units = session.suite(str(folder / "parity.yaml"))[1]
    probe = units[0]
    assert not any(execute_unit(probe, context).repetitions.values())
    records: Any = [session.store.read(cell) for cell in probe.cells]
    key = feature_key(probe.at_precision(context.precision), "test", "embed")
    fresh = Context(folder / "no-results", folder / "no-data")
    features = FeatureStore(context.features).open(key)
    assert features is not None
    return {
        "recipes": [dict(unit.recipe) for unit in units],
        "precision": records[0]["environment"]["precision"],
        "features": features.array().tolist(),
        "metrics": [record["metrics"] for record in records],
        "loaded": records[0]["digests"]["backbone"],
        "hours": [estimate([unit], fresh)["seconds"] for unit in units],
        "sizes": probe.backbone.model_dump(include=SIZES),
    }


def test_one_backbone_however_it_is_registered(
    name: Any, ways: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    first, *others = (
        facts_of(tmp_path / way, name, card, monkeypatch) for way, card in ways.items()
    )
    for way, facts in zip(list(ways)[1:], others, strict=True):
        for fact, value in facts.items():
            assert value == first[fact], f"{way}: {fact}"


def test_check_answers_alike_however_a_backbone_is_registered(
    name: Any, ways: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(subject, "IMAGE_SIDE", side(name))
    context = Context(tmp_path / "results", tmp_path / "data")
    first, *others = (
        {
            finding.name: finding.verdict
            for finding in conformance(card, context)
            if finding.name != "weights"  # a file's are there, or drawn at random
        }
        for card in ways.values()
        if card is not None
    )
    assert "FAIL" not in first.values()
    assert first.keys() >= {"card", "embed shape", "maps shape", "bf16"}
    assert all(other == first for other in others)
