"""Measure frozen features of ViT-S/14 at 224 pixels: bf16 as shipped against plain fp32."""

import functools
from collections.abc import Iterator
from pathlib import Path

import timm
import torch
from torch.nn import functional

from benchmarks import Measure, best_seconds
from benchmarks.calibrate import ARCHITECTURE, SIZE, card, keep_rates
from omnibench.encoders.build import load_encoder
from omnibench.encoders.forward import counted_flops, micro_batch
from omnibench.encoders.preprocess import IMAGENET_MEAN, IMAGENET_STD
from omnibench.encoders.timm_encoder import fit_input_size

EAGER_BATCHES = (8, 32)


def measure(device: str) -> Iterator[Measure]:
    """Yield images/s of both, the share of the GEMM ceiling, and the cosine between them."""
    recipe = {"input_size": SIZE, "normalization": "imagenet", "precision": "bf16"}
    loaded = load_encoder(card(), recipe, device, Path("unused"), Path("unused"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        plain = timm.create_model(ARCHITECTURE, num_classes=0).eval().to(device)
    fit_input_size(plain, SIZE, ARCHITECTURE)
    generator = torch.Generator().manual_seed(0)
    count = max(*EAGER_BATCHES, micro_batch(device))
    images = torch.randint(0, 256, (count, SIZE, SIZE), generator=generator, dtype=torch.uint8)
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    def eager(batch: int) -> torch.Tensor:
        pixels = images[:batch].to(device)[:, None].expand(-1, 3, -1, -1).float() / 255
        features: torch.Tensor = plain((pixels - mean) / std)
        return _waited(features)

    def ours(batch: int) -> torch.Tensor:
        return _waited(loaded.encoder.embed(images[:batch]))

    with torch.inference_mode():
        with counted_flops() as counter:
            ours(1)
        flops = counter.get_total_flops()
        rates = {
            batch: batch / best_seconds(functools.partial(eager, batch), 30, 6)
            for batch in EAGER_BATCHES
        }
        batch = micro_batch(device)
        rate = batch / best_seconds(functools.partial(ours, batch), 100, 6)
        ceiling = _gemm(device, torch.bfloat16)
        cosine = functional.cosine_similarity(eager(8), ours(8).float()).min()
    for size, value in rates.items():
        yield Measure("features", f"fp32 eager, batches of {size}", value, "images/s")
    yield Measure(
        "features",
        f"bf16, micro-batches of {batch}, against the faster fp32",
        rate,
        "images/s",
        rate / max(rates.values()),
        ">= 1.9",
    )
    yield Measure("features", "bf16 GEMM ceiling", ceiling / 1e9, "GFLOP/s")
    yield Measure(
        "features",
        "bf16 features, share of that ceiling",
        rate * flops / 1e9,
        "GFLOP/s",
        rate * flops / ceiling,
        ">= 0.58",
    )
    keep_rates(device, "frozen", {"fp32": max(rates.values()), "bf16": rate}, passes=1)
    yield Measure("features", "smallest cosine, bf16 to fp32", float(cosine), "", None, ">= 0.9995")


def _gemm(device: str, dtype: torch.dtype) -> float:
    """Return the FLOP/s of the machine's own best square product of this type."""
    best = 0.0
    for side in (1024, 2048) if device == "cpu" else (4096, 8192):
        a = torch.randn(side, side, device=device).to(dtype)
        b = torch.randn(side, side, device=device).to(dtype)
        seconds = best_seconds(functools.partial(_product, a, b), 30, 3)
        best = max(best, 2 * side**3 / seconds)
    return best


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return _waited(a @ b)


def _waited(result: torch.Tensor) -> torch.Tensor:
    """Return the result once a GPU has finished it."""
    if result.is_cuda:
        torch.cuda.synchronize()
    return result
