"""Data parallelism by torchrun: which rows are this process's, and the sum of all gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch import distributed as dist


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


def wait_for_all() -> None:
    """Go on when every process is here."""
    if rank_and_size()[1] > 1:
        dist.barrier()
