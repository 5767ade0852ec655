"""How much memory there is; when it runs out, recognise it and give back what was held."""

import contextlib
import ctypes
import gc
import os

from omnibench.cgroups import memory_limit

# Names and numbers of glibc's mallopt.
TRIM_THRESHOLD, MMAP_MAX = -1, -4


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the device's or the machine's memory ran out."""
    # torch's own class goes by its name: who asks need not have torch.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "not enough memory" in text or "out of memory" in text
    )


def memory_bytes() -> int:
    """Return the bytes that this process may take: the machine's, at most its groups' limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(machine, memory_limit() or machine)


def keep_freed_memory() -> None:
    """Let glibc keep large blocks that are freed for those that come; elsewhere nothing.

    It maps each block of over 32 MB afresh otherwise, and touching its pages for the first time
    can cost more than what is computed in them: a step's heads with 131072 prototypes took 3 x.
    """
    with contextlib.suppress(OSError, AttributeError):
        glibc = ctypes.CDLL("libc.so.6")
        glibc.mallopt(MMAP_MAX, 0)
        glibc.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def release() -> None:
    """Let go of cached blocks, so that a smaller attempt finds room."""
    import torch

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
