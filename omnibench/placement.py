"""Where frozen maps and tokens are kept: on disk, or in memory where the disk is the slower."""

import json
import os
import shutil
import time
from pathlib import Path

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.errors import StoreError
from omnibench.files import write_atomically
from omnibench.memory import memory_bytes
from omnibench.rates import forward_flops, frozen_rate

# Kinds of the feature key: a ViT's blocks at each third, a CNN's strides 8, 16, 32; and all tokens.
MAPS, TOKENS = "maps:thirds", "tokens"
PROBE_BYTES = 64 * 2**20
# At most this share of the machine's memory holds one unit's maps.
MEMORY_SHARE = 0.5


def kept_in_memory(unit: Unit, kind: str, images: int, context: Context) -> bool:
    """Whether a unit's maps or tokens are better held in memory than stored.

    So it is where writing an image's takes longer than computing them, or the disk has no room
    for them, and they fit in memory.
    """
    each = row_bytes(unit, kind)
    size = each * images
    if size > MEMORY_SHARE * memory_bytes():
        return False
    if size > _free_bytes(context.data):
        return True
    flops = forward_flops(unit.backbone, unit.recipe["input_size"])
    recompute = flops / frozen_rate(unit.recipe["precision"], context.device, context.threads)
    return each / disk_rate(context.data) > recompute


def row_bytes(unit: Unit, kind: str) -> int:
    """Bytes of one image's maps or tokens; a CNN is taken for efficientnet-lite0."""
    card, size = unit.backbone, unit.recipe["input_size"]
    item = 4 if unit.recipe["precision"] == "fp32" else 2
    if card.patch:
        tokens = (size // card.patch) ** 2
        levels: int = 3 * tokens if kind == MAPS else tokens + (card.prefix_tokens or 1)
        return levels * (card.width or 768) * item
    strides = ((40, 8), (112, 16), (320, 32)) if kind == MAPS else ((card.width or 1280, 32),)
    return sum(width * (size // stride) ** 2 * item for width, stride in strides)


def disk_rate(data: Path) -> float:
    """Bytes a second that the disk below `data` takes, synced: measured once, then remembered."""
    memory = data / "disk.json"
    try:
        return float(json.loads(memory.read_text(encoding="utf-8"))["bytes_per_s"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    probe = data / f".probe-{os.getpid()}"
    try:
        began = time.perf_counter()
        write_atomically(probe, os.urandom(PROBE_BYTES))
        rate = PROBE_BYTES / (time.perf_counter() - began)
        write_atomically(memory, json.dumps({"bytes_per_s": rate}).encode())
    except StoreError:  # no right or no room to write: whoever stores features will say so
        return float("inf")
    finally:
        probe.unlink(missing_ok=True)
    return rate


def _free_bytes(data: Path) -> int:
    folder = data
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
