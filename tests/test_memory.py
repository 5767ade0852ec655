"""Which errors say that memory ran out."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from omnibench.memory import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("x"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (torch.AcceleratorError("CUDA error: out of memory", 2), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: not enough memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
    ids=str,
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Any, expected: bool) -> None:
    assert is_out_of_memory(error) is expected


def test_asking_needs_no_torch() -> None:
    code = "import sys, omnibench.memory as m; m.is_out_of_memory(OSError()); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()
