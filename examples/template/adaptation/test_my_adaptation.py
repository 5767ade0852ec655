"""The adaptation `my-adaptation`: it runs to its end, and starts as the backbone alone."""

from pathlib import Path

import torch

import omnibench

HERE = Path(__file__).parent


def test_every_cell_is_done(tmp_path: Path) -> None:
    suite = HERE / "my_adaptation.yaml"
    cells = omnibench.run(
        suite,
        backbones="random-vit-nano",
        adaptations="my-adaptation",
        repetitions=[0],
        results=tmp_path,
    )
    assert list(cells["state"]) == ["done"], list(cells["error"])
    metrics = omnibench.results(suite, results=tmp_path)
    assert len(metrics) and metrics["value"].notna().all()


def test_it_starts_as_the_identity() -> None:
    from my_adaptation_layers import MyAdaptation

    embedding = torch.randn(4, 8)
    assert torch.equal(MyAdaptation(8, width=2)(embedding), embedding)
