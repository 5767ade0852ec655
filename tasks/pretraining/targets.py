"""The teacher's answers as distributions over prototypes, kept in factors.

A distribution of row r is p_rk = exp(l_rk / t - shift_r) v_r u_k: one array of rows x prototypes,
with one scaling vector for each side, serves Sinkhorn-Knopp and softmax alike.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist

from omnibench.training.processes import rank_and_size, sum_over_processes

ITERATIONS = 3  # of Sinkhorn-Knopp, as in DINOv2


@dataclass(frozen=True)
class Targets:
    """Distributions in factors.

    Attributes:
        exponentials: [R, K].
        rows: v, [R]; columns: u, [K].
    """

    exponentials: Tensor
    rows: Tensor
    columns: Tensor

    def distributions(self, rows: Tensor, out: Tensor | None = None) -> Tensor:
        """The distributions [r, K] of some rows; each sums to one."""
        rows_of = torch.index_select(self.exponentials, 0, rows, out=out)
        return rows_of.mul_(self.columns).mul_(self.rows[rows, None])

    def entropies(self) -> Tensor:
        """[R], in nats."""
        rows = torch.arange(len(self.rows), device=self.rows.device)
        return torch.stack(
            [torch.special.entr(self.distributions(row)).sum() for row in rows[:, None]]
        )

    def usage(self) -> Tensor:
        """Sum over rows of the distributions before prototypes were balanced, [K]."""
        return (1 / self.exponentials.sum(dim=1)) @ self.exponentials


def sinkhorn_knopp(logits: Tensor, temperature: float) -> Targets:
    """Distributions that use every prototype alike (Cuturi 2013; Caron et al. 2020).

    Prototypes, then rows, are scaled to equal sums, in turn; with the matrix itself left as it is,
    an iteration is two products of it with a vector.

    Args:
        logits: [R, K] of this process, is overwritten; the sums run over all processes' rows.
    """
    exponentials, largest = _exponentials(logits, temperature)
    smallest = torch.finfo(exponentials.dtype).tiny
    # The rows' first factors give back what was divided out of each, up to one factor for all.
    rows = ((largest - _largest(largest)) / temperature).exp()
    columns = exponentials.new_ones(exponentials.shape[1])
    for _ in range(ITERATIONS):
        sums = rows @ exponentials
        sum_over_processes([sums])
        columns = 1 / sums.clamp_min(smallest)
        # Prototypes share a mass of one, so that float32 is far from its ends.
        columns = columns / columns.numel()
        rows = 1 / (exponentials @ columns).clamp_min(smallest)
    return Targets(exponentials, rows, columns)


def softmax(logits: Tensor, temperature: float, centre: Tensor | None) -> Targets:
    """softmax((logits - centre) / temperature), rows on their own.

    Args:
        logits: [R, K], is overwritten.
        centre: [K]; None for none.
    """
    if centre is not None:
        logits -= centre
    exponentials, _ = _exponentials(logits, temperature)
    columns = exponentials.new_ones(exponentials.shape[1])
    return Targets(exponentials, 1 / exponentials.sum(dim=1), columns)


def _exponentials(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """exp((logits - their row's largest) / temperature), in place, and these largest [R]."""
    largest = logits.amax(dim=1)
    return logits.sub_(largest[:, None]).div_(temperature).exp_(), largest


def _largest(values: Tensor) -> Tensor:
    """The largest over all processes."""
    largest = values.max() if len(values) else values.new_full((), -torch.inf)
    if rank_and_size()[1] > 1:
        dist.all_reduce(largest, dist.ReduceOp.MAX)
    return largest
