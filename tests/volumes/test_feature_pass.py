"""Slices are embedded once, however many ways their embeddings are pooled."""

from typing import Any

import pytest

from omnibench.encoders.timm_encoder import TimmEncoder
from tests.volumes.conftest import Ran

POOLINGS = ["mean", "max", "median", "attention", "transformer", "multi-plane"]


def test_slices_are_embedded_once_whatever_pools_them(
    ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    forward = TimmEncoder.pooled

    def counted(self: Any, pixels: Any) -> Any:
        calls.append(len(pixels))
        return forward(self, pixels)

    monkeypatch.setattr(TimmEncoder, "pooled", counted)
    passes = []
    for pooling in POOLINGS:
        ran(pooling, "tiny-views")
        passes.append(len(calls))
    assert passes[0] > 0
    assert set(passes) == {passes[0]}
