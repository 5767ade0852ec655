"""Frozen forward passes in micro-batches of one fixed size."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop

from omnibench.context import Context
from omnibench.data import Images
from omnibench.encoders import Encoder
from omnibench.features import FeatureKey, FeatureStore
from omnibench.memory import is_out_of_memory, release

log = logging.getLogger("omnibench")

# Images a micro-batch. Small ones keep a ViT's activations in a CPU's cache.
CPU_BATCH = 4
GPU_BATCH = 128


def micro_batch(device: str) -> int:
    """The fixed number of images a forward pass sees on this device."""
    return CPU_BATCH if device == "cpu" else GPU_BATCH


def forward_rows(
    images: Images, start: int, stop: int, batch: int, apply: Callable[[Tensor], Tensor]
) -> NDArray[np.float32]:
    """Apply a frozen encoder method to images start..stop-1.

    Every micro-batch has `batch` images, the last one padded with its first image, so that an
    image's bits depend on its place alone and not on how many there are. Where memory runs out the
    rest goes on in halved ones.

    Returns:
        float32 [stop - start, ...].
    """
    rows: list[NDArray[np.float32]] = []
    first = start
    with torch.inference_mode():
        while first < stop:
            block = torch.from_numpy(np.array(images.read(first, min(first + batch, stop))))
            count = len(block)
            if count < batch:
                block = torch.cat([block, block[:1].expand(batch - count, *block.shape[1:])])
            try:
                rows.append(apply(block)[:count].float().cpu().numpy())
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or batch == 1:
                    raise
                batch //= 2
                log.warning("out of memory: the feature pass goes on in batches of %d", batch)
                release()
                continue
            first += count
    return np.concatenate(rows)


def embeddings(
    load: Callable[[], tuple[Encoder, dict[str, Any]]],
    images: Images,
    key: FeatureKey,
    context: Context,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return one split's embeddings [N, D] from the feature store, computed where absent.

    Args:
        load: gives the encoder and its facts; called only where rows must be computed.

    Returns:
        The array and facts: loaded digest, coverage, FLOPs an image, seconds it took.
    """
    total = images.shape[0]
    batch = micro_batch(context.device)
    facts: dict[str, Any] = {}

    def compute(start: int, stop: int) -> NDArray[np.float32]:
        encoder, told = load()
        facts.update(told)
        rows = forward_rows(images, start, stop, batch, encoder.embed)
        context.progress(f"features of {key.split}", stop, total)
        return rows

    store = FeatureStore(context.features)
    return store.get(key, total, lambda: facts, compute, batch)


@contextlib.contextmanager
def counted_flops() -> Iterator[FlopCounterMode]:
    """Count multiply-adds as two operations, the CPU's fused attention included.

    torch's own counter leaves that operator out (10 % of a ViT at 257 tokens).
    """
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def fused_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        return int(sdpa_flop(query, key, value))

    with FlopCounterMode(display=False, custom_mapping={fused: fused_flops}) as counter:
        yield counter
