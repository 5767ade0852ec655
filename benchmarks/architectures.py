"""Make the table of timm's architectures, omnibench/architecture/timm.csv.

Run it with the timm that omnibench.architecture.table names, from the checkout:

    python -m benchmarks.architectures

Every model is built and run on the meta device, so that nothing is computed: some 15 minutes on two
cores.
"""

import csv
import dataclasses
import warnings
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg, list_pretrained

from omnibench.architecture.facts import IMAGE_SIDE, Architecture
from omnibench.architecture.table import COLUMNS, FILE, cells
from omnibench.encoders.forward import counted_flops
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import TimmEncoder, fit_input_size
from omnibench.errors import RequestError

# The second is tried where the first is native: every patch or window of the one divides it.
USUAL, OTHER = (IMAGE_SIDE, IMAGE_SIDE), (2 * IMAGE_SIDE, 2 * IMAGE_SIDE)


def built(name: str) -> TimmEncoder:
    """Build a model on the meta device, for its own input size."""
    meta = torch.device("meta")
    with meta:
        module = timm.create_model(name, pretrained=False, num_classes=0)
    module.eval().requires_grad_(False)
    unit = (1.0, 1.0, 1.0)
    return TimmEncoder(module, Preprocess(0, unit, unit, meta, torch.float32))


def forward_flops(encoder: TimmEncoder, size: tuple[int, int]) -> float:
    """Count the operations of one forward of one image, a multiply-add as two.

    Raises:
        RequestError: it cannot take that size.
    """
    if size != encoder.architecture.input_size:
        fit_input_size(encoder.module, size[0], encoder.name)
    with counted_flops() as counter, torch.no_grad():
        encoder.pooled(torch.zeros(1, 3, *size, device="meta"))
    return float(counter.get_total_flops())


def facts(name: str) -> Architecture:
    """Return everything there is to know of an architecture, or of its weights `name.tag`."""
    encoder = built(name)
    architecture = encoder.architecture
    try:
        flops = forward_flops(encoder, USUAL)
        if architecture.input_size == USUAL and _fixed_to_timm(encoder.module):
            forward_flops(encoder, OTHER)  # some take it all the same
        return dataclasses.replace(architecture, flops=flops)
    except RequestError:
        flops = forward_flops(built(name), architecture.input_size)
        return dataclasses.replace(architecture, flops=flops, fixed=True)


def _fixed_to_timm(module: Any) -> bool:
    return module.pretrained_cfg["fixed_input_size"] and not hasattr(module, "set_input_size")


def rows(name: str) -> list[list[str]]:
    """Return the row of an architecture, and one for each of its pretrained weights."""
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    architecture = facts(name)
    base = cells(name, architecture)
    return [base, *(_differences(base, row) for row in _tagged(name, architecture))]


def _tagged(name: str, architecture: Architecture) -> Iterator[list[str]]:
    for tagged in list_pretrained(f"{name}.*"):
        config: Any = get_pretrained_cfg(tagged)
        size = (config.input_size[1], config.input_size[2])
        # A model that takes one size is built for that of its weights.
        other = architecture.fixed and size != architecture.input_size
        own = facts(tagged) if other else architecture
        yield cells(
            tagged,
            dataclasses.replace(
                own, mean=tuple(config.mean), std=tuple(config.std), input_size=size
            ),
        )


def _differences(base: list[str], row: list[str]) -> list[str]:
    name, *own = row
    return [name, *("" if cell == same else cell for cell, same in zip(own, base[1:], strict=True))]


def main() -> None:
    """Write the table."""
    path = Path(__file__).parents[1] / "omnibench" / "architecture" / FILE
    with Pool() as pool, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for made in pool.imap(rows, sorted(timm.list_models())):
            writer.writerows(made)


if __name__ == "__main__":
    main()
