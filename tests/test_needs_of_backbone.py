"""What `plan` blocks by the architecture's facts, against what building it says."""

import re
from pathlib import Path
from typing import Any

import pytest
import timm

from omnibench.architecture import needs_of_backbone
from omnibench.architecture.table import timm_facts
from omnibench.cards import BackboneCard
from omnibench.encoders.timm_encoder import fit_input_size
from omnibench.errors import RequestError
from omnibench.recipe import Recipe
from omnibench.task import Adaptation
from tests.conftest import Bench


def needs(name: str, takes: Any = "embed", size: int = 224, **fields: Any) -> tuple[str, ...]:
    card = BackboneCard(id="x", source=f"random:{name}", **fields)
    recipe = Recipe(input_size=size)
    adaptation = Adaptation("a", "nothing", "nothing", {"small": recipe}, live_kind=takes)
    return needs_of_backbone(card, timm_facts(name), adaptation, recipe.model_dump())


@pytest.mark.parametrize(
    ("name", "takes", "size", "fields", "sentence"),
    [
        ("levit_128s", "embed", 64, {}, "takes images of 224 px alone; set input_size: 224"),
        (
            "vit_small_patch14_dinov2",
            "embed",
            64,
            {},
            "multiple of its patch size 14; use 56 or",
        ),
        ("vit_small_patch14_dinov2", "embed", 5, {}, "of its patch size 14; use 14$"),
        ("vit_base_patch16_siglip_224", "embed", 224, {"pool": "cls"}, "has no class token; set p"),
        ("crossvit_tiny_240", "maps", 240, {}, "one vector an image, no maps; leave a to other on"),
        ("crossvit_tiny_240", "tokens", 240, {}, "one vector an image, no tokens"),
    ],
)
def test_what_the_table_knows_to_fail_is_blocked_by_name(
    name: str, takes: str, size: int, fields: dict[str, str], sentence: str
) -> None:
    (need,) = needs(name, takes, size, **fields)
    assert need.startswith("backbone x: ")
    assert re.search(sentence, need), need


@pytest.mark.parametrize(
    "name",
    [
        "pvt_v2_b0",
        "swin_tiny_patch4_window7_224",
        "xcit_nano_12_p16_224",
        "levit_128s",
        "pit_ti_224",
    ],
)
def test_a_backbone_that_gives_a_map_is_blocked_nowhere(name: str) -> None:
    assert [needs(name, takes) for takes in ("embed", "maps", "tokens")] == [(), (), ()]


@pytest.mark.parametrize("size", [63, 70, 100, 224])
def test_the_same_sizes_are_refused_when_it_is_built(size: int) -> None:
    module = timm.create_model("vit_tiny_patch16_224", num_classes=0, depth=1)
    blocked = needs("vit_tiny_patch16_224", size=size)
    try:
        fit_input_size(module, size, "x")
        assert blocked == ()
    except RequestError as error:
        assert blocked == (f"backbone {error}",)


def test_nothing_is_blocked_where_nothing_is_known() -> None:
    card = BackboneCard(id="x", source="a:b", patch=14)
    adaptation = Adaptation("a", "nothing", "nothing", {}, live_kind="maps")
    assert needs_of_backbone(card, None, adaptation, {"input_size": 63}) == ()


def test_plan_blocks_the_cells_that_cannot_run_and_no_others(bench: Bench, tmp_path: Path) -> None:
    suite = tmp_path / "s.yaml"
    suite.write_text(
        "name: s\n"
        "backbones: [{id: branches, source: 'random:crossvit_tiny_240'},\n"
        "  {id: fourteen, source: 'random:vit_small_patch14_dinov2'},\n"
        "  {id: free, source: 'random:resnet18'}]\n"
        "matrix:\n"
        "  - {task: classification, datasets: [phantom], adaptations: [knn],\n"
        "     recipe: {input_size: 64}}\n"
        "  - {task: segmentation, datasets: [phantom], adaptations: [full],\n"
        "     recipe: {input_size: 448}}\n"
    )
    status, out, _ = bench("plan", suite)
    assert status == 0
    assert [line for line in out.splitlines() if line.startswith("blocked: ")] == [
        "blocked: backbone fourteen: input size 64 is not a multiple of its patch size 14; use 56 "
        "or 70",
        "blocked: backbone branches: it gives one vector an image, no maps; leave full to other "
        "ones",
    ]
    assert "6 cells in 6 units; 4 missing, 2 blocked" in out
