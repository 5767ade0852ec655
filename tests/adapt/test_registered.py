"""Registered adaptations whose options decide what they need of a backbone."""

from pathlib import Path
from typing import Any

import pytest

from omnibench.catalogue import tasks
from omnibench.errors import RequestError
from omnibench.sources import Sources
from omnibench.suite import load

RANK = {"r": 8, "alpha": 8}


def unit(folder: Path, task: str, adaptation: dict[str, Any]) -> Any:
    block = {"task": task, "datasets": ["phantom"], "adaptations": [adaptation]}
    suite = {"name": "s", "backbones": ["random-vit-tiny"], "matrix": [block]}
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
