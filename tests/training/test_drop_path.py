"""Drop path: timm's rates, and draws that no cut of a step changes."""

from typing import Any

import pytest
import timm
import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn

from omnibench.errors import RequestError
from omnibench.training.drop_path import DroppedPaths
from omnibench.training.job import Batch

WHOLE = torch.arange(6)
PIXELS = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def encoder(module: nn.Module) -> Any:
    return type("Encoder", (), {"module": module})


def vit(**options: Any) -> Any:
    torch.manual_seed(0)
    return timm.create_model("test_vit", num_classes=0, img_size=32, **options).eval()


def outputs(module: nn.Module, paths: DroppedPaths, step: int, *parts: Tensor) -> Tensor:
    rows = []
    for part in parts:
        paths.begin(Batch(step, part, part, WHOLE), seed=3)
        rows.append(module(PIXELS[part]).detach())
    return torch.cat(rows)


def test_branches_have_the_rates_of_timm_and_nothing_is_drawn() -> None:
    for name in ("test_vit", "test_efficientnet"):
        reference = timm.create_model(name, num_classes=0, drop_path_rate=0.3)
        expected = [m.drop_prob for m in reference.modules() if isinstance(m, DropPath)]
        module = timm.create_model(name, num_classes=0)
        state = torch.get_rng_state()
        paths = DroppedPaths(encoder(module), 0.3, {})
        assert torch.equal(torch.get_rng_state(), state)
        assert [branch.probability for branch in paths.branches] == [p for p in expected if p]


def test_only_in_training_images_skip_branches_by_step_and_place_alone() -> None:
    module, plain = vit(), vit()
    paths = DroppedPaths(encoder(module), 0.5, {})
    assert torch.equal(module(PIXELS), plain(PIXELS))
    paths.set_training()
    whole = outputs(module, paths, 1, WHOLE)
    assert not torch.allclose(whole, plain(PIXELS), atol=1e-3)
    assert torch.allclose(outputs(module, paths, 1, *WHOLE.chunk(3)), whole, atol=1e-5)
    assert not torch.allclose(outputs(module, paths, 2, WHOLE), whole, atol=1e-3)
    module.eval()
    assert torch.equal(module(PIXELS), plain(PIXELS))


def test_a_branch_is_zero_or_scaled_so_that_its_mean_stays() -> None:
    module = vit()
    paths = DroppedPaths(encoder(module), 0.4, {})
    paths.set_training()
    count = 20000
    rows = torch.arange(count)
    paths.begin(Batch(0, rows, rows, rows), seed=0)
    scaled = paths.branches[-1](torch.ones(count, 2))
    assert paths.branches[-1].probability == pytest.approx(0.4)
    assert scaled.unique().tolist() == pytest.approx([0, 1 / 0.6])
    assert torch.equal(scaled[:, 0], scaled[:, 1])
    assert scaled.mean().item() == pytest.approx(1, abs=0.02)  # 3.5 standard errors


def test_a_backbone_without_branches_is_refused() -> None:
    resnet: Any = timm.create_model("test_resnet", num_classes=0)
    for module in (nn.Linear(2, 2), resnet.layer1):
        with pytest.raises(RequestError, match="has no branches to drop; set it to 0"):
            DroppedPaths(encoder(module), 0.2, {})
