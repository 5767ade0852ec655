"""Registered adaptations whose options decide what they need of a backbone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load
from omnibench.tasks.volumes.refusals import of_anymc3d

RANK = {"r": 8, "alpha": 8}


def unit(
    folder: Path, task: str, adaptation: dict[str, Any], backbone: str = "random-vit-tiny"
) -> Any:
    block = {"task": task, "datasets": ["phantom"], "adaptations": [adaptation]}
    suite = {"name": "s", "backbones": [backbone], "matrix": [block]}
    return load(suite, Sources(folder, folder)).units[0]


def test_lora_on_the_embedding_is_frozen_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    short = {
        sites: unit(tmp_path, "classification", {"lora": {**RANK, "sites": sites}}).short
        for sites in ("all-linear", "attention+patch", "embedding")
    }
    assert list(short.values()) == [
        "lora-r8-a8",
        "lora-r8-a8-sattention+patch",
        "lora-r8-a8-sembedding",
    ]
    lora = tasks.get("classification").adaptations["lora"]
    on_embedding = lora.under({"sites": "embedding"})
    assert (lora.through_backbone, on_embedding.through_backbone) == (True, False)
    assert on_embedding.recipes == lora.recipes


def test_a_task_refuses_a_variant_that_needs_what_it_does_not_offer(tmp_path: Path) -> None:
    unit(tmp_path, "segmentation", {"lora": {**RANK, "sites": "attention"}})
    sentence = "segmentation does not offer what lora-r8-a8-sembedding needs of a backbone"
    with pytest.raises(RequestError, match=sentence):
        unit(tmp_path, "segmentation", {"lora": {**RANK, "sites": "embedding"}})


@pytest.mark.parametrize(
    ("adaptation", "reason"),
    [
        ({"lora": {**RANK, "sites": "attention"}}, "has no linear layers in attention modules"),
        ({"lora": {**RANK, "sites": "attention+patch"}}, "has no linear layers in attention"),
        ({"molre": {"site": "blocks"}}, "has no linear layers in attention modules"),
        ({"lora": {**RANK, "r": 2000, "sites": "embedding"}}, "rank 2000 is above the 1280 values"),
        ({"molre": {"r": 2000}}, "rank 2000 is above the 1280 values"),
        ({"lora": RANK}, None),
        ({"molre": {}}, None),
    ],
)
def test_the_plan_refuses_updates_of_layers_that_a_network_has_not(
    tmp_path: Path, adaptation: dict[str, Any], reason: str | None
) -> None:
    own = unit(tmp_path, "classification", adaptation, "random-efficientnet-lite0")
    text = " ".join(own_refusals(own))
    assert reason in text if reason else not text


def test_the_plan_refuses_updates_of_a_patch_embedding_that_a_network_has_not(
    tmp_path: Path,
) -> None:
    sites = {"lora": {**RANK, "sites": "attention+patch"}}
    own = unit(tmp_path, "classification", sites)
    assert not list(own_refusals(own))
    hybrid = BackboneCard(id="h", source="random:vit_tiny_r_s16_p8_224")
    (reason,) = own_refusals(replace(own, backbone=hybrid))
    assert "h does not begin with one convolution of patches" in reason
    of_volumes = replace(own, task="volumes", options={"auxiliary": 0.0}, backbone=hybrid)
    (reason,) = of_anymc3d(of_volumes, {})
    assert "h has no attention over tokens that one convolution makes of patches" in reason


def own_refusals(own: Any) -> Any:
    refuse = tasks.get(own.task).adaptations[own.adaptation].under(own.options).refusals
    return refuse(own) if refuse else ()
