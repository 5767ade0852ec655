"""The conformance kit on backbones registered by one statement, and on faulty builders."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from omnibench.architecture import architecture_of
from omnibench.cards import BackboneCard
from omnibench.context import Context
from omnibench.encoders import conformance as kit
from omnibench.encoders.author import questions
from omnibench.encoders.subject import usual_size
from omnibench.errors import OmnibenchError
from omnibench.findings import Finding
from tests.conftest import Bench

# Of ten families: tokens with and without class token and registers, maps in either layout, no
# blocks, several tensors, a class token alone, windows, a fixed size.
FAMILIES = [
    "test_vit",
    "test_vit3",
    "test_resnet",
    "test_maxvit",
    "test_mambaout",
    "xcit_nano_12_p16_224",
    "levit_128s",
    "pit_ti_224",
    "pvt_v2_b0",
    "efficientvim_m1",
]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(results=tmp_path / "results", data=tmp_path / "data")


@pytest.fixture(autouse=True)
def small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit, "BATCH", 2)


def findings(
    context: Context, **card: int | str | tuple[float, float, float]
) -> dict[str, Finding]:
    return {f.name: f for f in kit.conformance(BackboneCard(id="x", **card), context)}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_one_statement_backbone_of_any_family_fails_nothing(name: str, context: Context) -> None:
    rows = findings(context, source=f"random:{name}")
    assert [str(row) for row in rows.values() if row.verdict == "FAIL"] == []
    assert {"load", "card", "embed shape", "deterministic", "bf16"} <= rows.keys()
    assert "told by the architecture" in rows["card"].message


def test_maps_are_looked_at_as_segmentation_takes_them(context: Context) -> None:
    """LeViT has no stride 8: its coarsest three maps are taken, so nothing is impossible."""
    rows = {
        f.name: f
        for f in kit.conformance(BackboneCard(id="x", source="random:levit_128s"), context)
    }
    assert "maps" not in rows
    assert rows["maps shape"].verdict == "PASS"


def test_a_one_statement_vit_is_checked_as_the_fully_written_one(context: Context) -> None:
    full: Any = {"width": 64, "depth": 6, "patch": 16, "prefix_tokens": 1, "pool": "cls"}
    statistics = {"mean": (0.5,) * 3, "std": (0.5,) * 3}
    short = findings(context, source="random:test_vit")
    long = findings(context, source="random:test_vit", **full, **statistics)
    assert {name: row.verdict for name, row in short.items()} == {
        name: row.verdict for name, row in long.items()
    }
    assert short["maps shape"].message == long["maps shape"].message
    assert "patch 16" in short["card"].message
    assert "patch 16" not in long["card"].message


@pytest.mark.parametrize(
    ("name", "size"),
    [("halonet26t", 256), ("cait_xxs24_384", 384), ("vit_small_patch14_dinov2", 224)],
)
def test_a_backbone_is_looked_at_in_a_size_that_it_takes(
    name: str, size: int, context: Context
) -> None:
    card = BackboneCard(id="x", source=f"random:{name}")
    facts = architecture_of(card, context.data, context.results)
    assert usual_size(card, facts) == size
    assert usual_size(card.model_copy(update={"patch": 15}), None) == 210


def test_an_unknown_architecture_is_one_line_with_near_names(context: Context) -> None:
    rows = findings(context, source="random:test_vit9")
    assert list(rows) == ["load"]
    assert "did you mean test_vit" in rows["load"].message


class Net(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 16, 16)

    def forward(self, pixels: Tensor) -> Tensor:
        result: Tensor = self.conv(pixels).mean(dim=(2, 3))
        return result


WIDTHS = itertools.cycle((8, 12))
DRAWS = itertools.count()


def another_width() -> nn.Module:
    return Net(next(WIDTHS))


def another_draw() -> nn.Module:
    net: Any = Net(8)
    assert net is not None
    nn.init.constant_(net.conv.bias, float(next(DRAWS)))
    result: nn.Module = net
    return result


def same() -> nn.Module:
    return Net(8)


class Crashing(nn.Module):
    def forward(self, pixels: Tensor) -> None:
        raise AssertionError("feature index 16 is out of range")


@pytest.mark.parametrize(
    ("builder", "verdict"), [(another_width, "FAIL"), (another_draw, "FAIL"), (same, "PASS")]
)
def test_a_builder_must_give_the_same_network_twice(
    builder: Callable[..., Any], verdict: str, context: Context
) -> None:
    rows = findings(context, source=f"{__name__}:{builder.__name__}")
    assert rows["same at each build"].verdict == verdict
    assert bool(rows["same at each build"].fix) == (verdict == "FAIL")


def test_whatever_a_module_raises_is_a_line(context: Context) -> None:
    rows = findings(context, source=f"{__name__}:Crashing")
    assert rows["forward"].verdict == "FAIL"
    assert "feature index 16 is out of range" in rows["forward"].message


class OfVolumes(nn.Module):
    """Gives the means of rows; of volumes less the batch's mean where `leaks`."""

    def __init__(self, leaks: bool = False) -> None:
        super().__init__()
        self.leaks = leaks

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(1, 3))

    def forward_volumes(self, x: Tensor) -> Tensor:
        rows = x[:, 0, 0].mean(dim=2)
        return rows - rows.mean(dim=0) if self.leaks else rows


def test_volumes_are_looked_at_where_a_module_sees_them(context: Context) -> None:
    source = f"{__name__}:OfVolumes"
    rows = findings(context, source=source)
    assert (rows["volume shape"].verdict, rows["per volume"].verdict) == ("PASS", "PASS")
    card = BackboneCard(id="x", source=source, arguments={"leaks": True})
    leaking = {row.name: row for row in kit.conformance(card, context)}
    assert (leaking["volume shape"].verdict, leaking["per volume"].verdict) == ("PASS", "FAIL")
    assert "volume shape" not in findings(context, source="random:test_vit")


def test_embeddings_that_fade_are_compared_by_their_direction() -> None:
    faded = torch.tensor([[1e-13, 2e-13], [3e-13, 0.0]])
    assert kit._cosine(faded, 2 * faded) == pytest.approx(1)
    assert kit._cosine(faded, faded.flip(1)) == pytest.approx(0)


def raising() -> nn.Module:
    raise KeyError("weights")


def test_a_builder_that_raises_is_a_line(context: Context) -> None:
    rows = findings(context, source=f"{__name__}:raising")
    assert list(rows) == ["load"]
    assert "KeyError: 'weights'" in rows["load"].message
    with pytest.raises(OmnibenchError, match="KeyError: 'weights'"):
        questions(BackboneCard(id="x", source=f"{__name__}:raising"), context)


def test_the_author_is_asked_for_what_decides_the_features(context: Context) -> None:
    card = BackboneCard(id="x", source="random:test_vit", mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    answers = questions(card, context)
    assert answers["layer"].startswith("tokens after the final norm, 6 blocks, D = 64, patch 16")
    assert answers["pooling"] == "class token"
    assert answers["mean"].startswith("0.1, 0.2, 0.3")
    assert answers["input size"].startswith("224 px")
    assert answers["weights"].startswith("sha256:")
    assert answers["coverage"].startswith("no weights file")
    assert answers["verified by"] == "nobody"


def test_check_prints_the_questions_and_who_verified(bench: Bench, tmp_path: Path) -> None:
    plugin = Path(tmp_path / "asked_for_plugin.py")
    plugin.write_text(
        "from omnibench import BackboneCard, register_backbone\n"
        "register_backbone(BackboneCard(id='asked-for', source='random:test_vit',"
        " verified_by='A. Author'))\n"
    )
    status, out, err = bench("check", "asked-for", "--plugin", plugin, "--for-author")
    assert status == 0, err
    assert "class token" in out
    assert "A. Author" in out
    assert "verified by A. Author" in bench("check", "asked-for", "--plugin", plugin)[1]
