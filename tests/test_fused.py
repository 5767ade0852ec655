"""Fused backbones: the features and metrics of their members, joined; what they cannot serve."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cards import BackboneCard
from omnibench.catalogue import backbones, register_backbone
from omnibench.encoders.conformance import conformance
from omnibench.session import Places, Session
from tests.conftest import Bench
from tests.test_pretrained import write_npz

pytestmark = pytest.mark.usefixtures("in_process")

FUSED = """
name: fuse
backbones:
  - {id: a, source: 'random:test_vit', pool: cls}
  - {id: b, source: 'random:test_vit@1', pool: cls}
  - {id: alone, fuse: [a], how: concat}
  - {id: both, fuse: [a, {id: inline, source: 'random:test_vit@1', pool: cls}]}
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [linear, knn],
      recipe: {input_size: 32, precision: fp32}}
"""
LINEAR = "results/records/classification/npz-two/{}/linear"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_npz(tmp_path / "two.npz", 24)
    path = tmp_path / "fuse.yaml"
    path.write_text(FUSED)
    return path


def record(folder: Path, backbone: str) -> tuple[dict[str, Any], dict[str, Any]]:
    path = next((folder / LINEAR.format(backbone)).glob("rep-0-*.json"))
    with np.load(path.with_suffix(".predictions.npz")) as stored:
        return json.loads(path.read_text()), dict(stored)


def test_one_member_is_that_backbone_in_every_bit(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    status, _, err = bench("run", suite)
    assert status == 0, err
    (plain, logits), (alone, same) = record(tmp_path, "a"), record(tmp_path, "alone")
    assert plain["metrics"] == alone["metrics"]
    assert plain["digest"] != alone["digest"]
    assert logits.keys() == same.keys()
    for name, array in logits.items():
        assert np.array_equal(array, same[name]), name
    both, _ = record(tmp_path, "both")
    width = backbones_of(suite, tmp_path)["a"].width
    assert width is not None
    classes = 2
    assert both["cost"]["trainable_parameters"] == classes * (2 * width + 1)
    assert both["notes"]["backbone"]["members"].keys() == {"a", "inline"}
    # The members' features are those that they have alone: three splits of two backbones.
    assert len(list((tmp_path / "data").rglob("manifest.json"))) == 6
    assert both["digests"]["source.backbone"].startswith("fuse:concat [")


def test_features_stand_side_by_side(bench: Bench, suite: Path, tmp_path: Path) -> None:
    from omnibench.data.sources import load_once
    from omnibench.encoders.frozen import unit_features

    session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
    units = {u.backbone.id: u for u in session.suite(suite)[1] if u.adaptation == "linear"}
    context = session.context("cpu", 1)
    dataset = load_once(units["a"].dataset, context.data, units["a"].sources["dataset"], 32)
    arrays = {
        name: unit_features(unit, dataset.splits, context).arrays for name, unit in units.items()
    }
    for split in dataset.splits:
        joined = np.concatenate([arrays["a"][split], arrays["b"][split]], axis=1)
        assert np.array_equal(arrays["both"][split], joined)
        assert np.array_equal(arrays["alone"][split], arrays["a"][split])


def test_an_attention_over_members_is_trained_with_what_trains_a_head(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    text = FUSED.replace("pool: cls}]}", "pool: cls}], how: attention}")
    others = "[linear, evidential, knn, {linear: {solver: lbfgs}}]"
    suite.write_text(text.replace("[linear, knn]", others))
    planned = json.loads(bench("plan", suite, "--json")[1])["cells"]
    needs = {cell["adaptation"]: cell["needs"] for cell in planned if cell["backbone"] == "both"}
    assert needs["linear"] == needs["evidential"] == []
    refusal = "and no attention over members; fuse them by how: concat for it"
    for short, name in (
        ("knn", "knn trains nothing:"),
        ("linear-slbfgs", "linear trains a linear"),
    ):
        (need,) = needs[short]
        assert need.startswith(f"backbone both: {name}")
        assert need.endswith(refusal)
    suite.write_text(text.replace("[linear, knn]", "[linear]"))
    status, _, err = bench("run", suite)
    assert status == 0, err
    both, _ = record(tmp_path, "both")
    width = backbones_of(suite, tmp_path)["both"].width
    assert width is not None
    classes = 2
    assert both["cost"]["trainable_parameters"] == classes * (width + 1) + width
    assert both["digests"]["source.backbone"].startswith("fuse:attention [")


def backbones_of(suite: Path, folder: Path) -> dict[str, BackboneCard]:
    session = Session.open(Places(results=folder / "results", data=folder / "data"))
    return {card.id: card for card in session.suite(suite)[0].backbones}


def test_the_plan_knows_width_needs_and_order(bench: Bench, suite: Path, tmp_path: Path) -> None:
    cards = backbones_of(suite, tmp_path)
    width = cards["a"].width
    assert width is not None
    assert (cards["both"].width, cards["alone"].width) == (2 * width, width)
    suite.write_text(FUSED.replace("source: 'random:test_vit@1'", "source: 'file:no.pth'"))
    planned = json.loads(bench("plan", suite, "--json")[1])["cells"]
    needs = {cell["backbone"]: cell["needs"] for cell in planned}
    assert (needs["a"], needs["alone"]) == ([], [])
    assert "weights inline: put the file at" in needs["both"][0]


def test_members_in_another_order_are_another_backbone(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    suite.write_text(FUSED.replace("fuse: [a]", "fuse: [a, b]"))
    first = json.loads(bench("plan", suite, "--json")[1])["cells"]
    suite.write_text(FUSED.replace("fuse: [a]", "fuse: [b, a]"))
    second = json.loads(bench("plan", suite, "--json")[1])["cells"]
    digests = [
        {cell["backbone"]: cell["digest"] for cell in cells if cell["adaptation"] == "linear"}
        for cells in (first, second)
    ]
    assert digests[0]["alone"] != digests[1]["alone"]
    assert digests[0]["both"] == digests[1]["both"]


@pytest.mark.parametrize("adaptation", ["head", "full", "{lora: {r: 2, alpha: 2}}"])
def test_what_trains_on_images_is_refused_before_it_runs(
    bench: Bench, suite: Path, adaptation: str
) -> None:
    text = FUSED.replace("[linear, knn]", f"[{adaptation}]")
    suite.write_text(text.replace("input_size: 32", "input_size: 32, batch: 8"))
    planned = json.loads(bench("plan", suite, "--json")[1])["cells"]
    needs = {cell["backbone"]: cell["needs"] for cell in planned}
    assert needs["a"] == []
    assert "it joins frozen embeddings and gives nothing else; leave" in needs["both"][0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fuse: [a]", "fuse: []", "backbones[2].fuse: List should have at least 1 item"),
        ("fuse: [a]", "fuse: [aa]", "backbones[2].fuse[0]: unknown backbone 'aa'"),
        ("how: concat", "how: attend", "backbones[2].how: should be 'concat' or 'attention'"),
        ("fuse: [a, ", "fuse: [alone, ", "the member alone is fused itself"),
        ("fuse: [a]", "fuse: [a, b, a]", "backbones[2].fuse: 'a' stands twice; leave one"),
        ("id: alone", "id: resnet50", "'resnet50' is a registered backbone"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(
    bench: Bench, suite: Path, old: str, new: str, message: str
) -> None:
    suite.write_text(FUSED.replace(old, new))
    status, _, err = bench("plan", suite)
    assert (status, message in " ".join(err.split())) == (2, True), err


def test_a_registered_fusion_is_checked_member_by_member(tmp_path: Path) -> None:
    members = tuple(
        BackboneCard(id=name, source=f"random:test_vit@{draw}", pool="cls")
        for draw, name in enumerate(("first", "second"))
    )
    card = register_backbone(BackboneCard(id="joined", source="fuse:concat", members=members))
    assert backbones.get("joined") == card
    session = Session.open(Places(results=tmp_path / "results", data=tmp_path / "data"))
    names = [finding.name for finding in conformance(card, session.context("cpu", 1))]
    assert {name.partition(":")[0] for name in names} == {"first", "second"}
    with pytest.raises(ValueError, match="write fuse:concat or fuse:attention"):
        BackboneCard(id="summed", source="fuse:sum", members=members)
    with pytest.raises(ValueError, match="go together"):
        BackboneCard(id="none", source="fuse:concat")
    with pytest.raises(ValueError, match="pool is said on the cards of its members"):
        BackboneCard(id="pooled", source="fuse:concat", members=members, pool="cls")
