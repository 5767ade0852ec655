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

from omnibench.data import Images
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
) -> NDArray[Any]:
    """Apply a frozen encoder method to images start..stop-1.

    Every micro-batch has `batch` images, the last one padded with its first image, so that an
    image's bits depend on its place alone and not on how many there are. Where memory runs out the
    rest goes on in halved ones.

    Returns:
        [stop - start, ...]: float32 or float16, or uint16 for the bits of bfloat16.
    """
    rows: list[NDArray[Any]] = []
    first = start
    with torch.inference_mode():
        while first < stop:
            block = torch.from_numpy(np.array(images.read(first, min(first + batch, stop))))
            count = len(block)
            if count < batch:
                block = torch.cat([block, block[:1].expand(batch - count, *block.shape[1:])])
            try:
                rows.append(as_array(apply(block)[:count]))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or batch == 1:
                    raise
                batch //= 2
                log.warning("out of memory: the feature pass goes on in batches of %d", batch)
                release()
                continue
            first += count
    return np.concatenate(rows)


def as_array(tensor: Tensor) -> NDArray[Any]:
    """The tensor in numpy, which knows bfloat16 by its bits alone (uint16)."""
    tensor = tensor.cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.uint16)
    array: NDArray[Any] = tensor.numpy()
    return array


def as_tensor(array: NDArray[Any]) -> Tensor:
    """The inverse of `as_array`; shares its memory."""
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if array.dtype == np.uint16 else tensor


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
