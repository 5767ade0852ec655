"""Directions of the L-BFGS method for many problems side by side, each with a memory of its own."""

from collections import deque

from torch import Tensor

# Pairs that are remembered; fewer take more iterations, more hardly less.
PAIRS = 10


class Memory:
    """The last steps of P problems, and how their gradients changed along them: each [P, K, M]."""

    def __init__(self) -> None:
        self._pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=PAIRS)

    def add(self, step: Tensor, change: Tensor) -> None:
        """Remember a step [P, K, M] and the gradient's change along it.

        A problem whose gradient did not grow along its step, as rounding can have it, has learnt
        nothing from it.
        """
        product = _dot(step, change)
        rho = product.reciprocal().where(product > 0, 0.0)
        self._pairs.append((step, change, rho))

    def direction(self, gradient: Tensor, curvature: Tensor) -> Tensor:
        """Return the direction [P, K, M] of descent that the memory gives for a gradient.

        Args:
            curvature: [P, K, M] positive; about the Hessian's diagonal, but for its scale.

        Source:
            Nocedal & Wright 2006, Numerical Optimization, algorithm 7.4 (two loops) and eq. 7.20,
            of variables that are divided by the root of the curvature.
        """
        direction = -gradient
        shares = []
        for step, change, rho in reversed(self._pairs):
            share = rho * _dot(step, direction)
            direction = direction - share * change
            shares.append(share)
        direction = direction / curvature
        if self._pairs:
            step, change, rho = self._pairs[-1]
            # The last step tells the curvature's scale.
            scale = 1 / (rho * _dot(change, change / curvature))
            direction = direction * scale.where(rho > 0, 1.0)
        for (step, change, rho), share in zip(self._pairs, reversed(shares), strict=True):
            direction = direction + (share - rho * _dot(change, direction)) * step
        return direction

    def keep(self, problems: Tensor) -> None:
        """Forget the other problems; `problems` is a mask [P]."""
        for _ in range(len(self._pairs)):
            step, change, rho = self._pairs.popleft()
            self._pairs.append((step[problems], change[problems], rho[problems]))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the products [P, 1, 1] of each problem's vectors."""
    return (a * b).sum((1, 2), keepdim=True)
