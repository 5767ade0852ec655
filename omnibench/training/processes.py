"""Data parallelism by torchrun: which rows are this process's, and the sum of all gradients."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from omnibench.context import Context


def rank_and_size() -> tuple[int, int]:
    """This process's rank and how many there are; (0, 1) without torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def own_rows(rows: Tensor) -> Tensor:
    """This process's part of a batch's row indices; the parts make up the whole, in order."""
    rank, size = rank_and_size()
    return rows.tensor_split(size)[rank]


def sum_over_processes(tensors: Iterable[Tensor]) -> None:
    """Add up tensors of one type over all processes, in place, in one message."""
    if rank_and_size()[1] == 1:
        return
    chosen = list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in chosen])
    dist.all_reduce(flat)
    start = 0
    for tensor in chosen:
        tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
        start += tensor.numel()


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up gradients over all processes; a process without rows counts as zeros."""
    chosen = list(parameters)
    for parameter in chosen:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    sum_over_processes(p.grad for p in chosen if p.grad is not None)


def rows_of_all(rows: Tensor) -> Tensor:
    """Every process's rows, of which each has equally many, in the order of the processes."""
    size = rank_and_size()[1]
    if size == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(size)]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def agreed(value: Any) -> Any:
    """The first process's value, on every process."""
    if rank_and_size()[1] == 1:
        return value
    shared = [value]
    dist.broadcast_object_list(shared)
    return shared[0]


@contextlib.contextmanager
def joined(context: Context) -> Iterator[Context]:
    """Under torchrun, join its processes: the context of this one, on its own device.

    All but the first one are silent on standard output.
    """
    if not dist.is_torchelastic_launched():
        yield context
        return
    local, cuda = int(os.environ["LOCAL_RANK"]), context.device.startswith("cuda")
    device = f"cuda:{local}" if cuda else context.device
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        threads = max(1, context.threads // int(os.environ["LOCAL_WORLD_SIZE"]))
        own = replace(context, device=device, threads=threads, process=rank_and_size())
        with contextlib.ExitStack() as stack:
            if not own.writes:
                null = stack.enter_context(Path(os.devnull).open("w"))
                stack.enter_context(contextlib.redirect_stdout(null))
            yield own
    finally:
        dist.destroy_process_group()


def wait_for_all() -> None:
    """Go on when every process is here."""
    if rank_and_size()[1] > 1:
        dist.barrier()
