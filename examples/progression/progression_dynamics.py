"""How states x [P, K, 1] of patients' regions change over their graphs' Laplacians L [P, K, K]."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

STEP, YEARS, SPAN = 0.5, 14.0, 6.0  # of the time axis, and the most between a patient's visits


def perceptron(width: int) -> nn.Sequential:
    """Return a network of one hidden layer, the same all over at first."""
    last = nn.Linear(16, width)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(width, 16), nn.Tanh(), last)


class Dynamics(nn.Module):
    """Some dx/dt, and the state [K] of all patients where the axis begins."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.start = nn.Parameter(start.clamp(0.01, 0.99).logit())

    def rate(self, x: Tensor, t: float, laplacian: Tensor) -> Tensor:
        """Return dx/dt."""
        raise NotImplementedError

    def step(self, x: Tensor, t: float, laplacian: Tensor, size: float) -> Tensor:
        """Return the state a step later, by Runge and Kutta's method of fourth order."""
        a = self.rate(x, t, laplacian)
        b = self.rate(x + size / 2 * a, t + size / 2, laplacian)
        c = self.rate(x + size / 2 * b, t + size / 2, laplacian)
        d = self.rate(x + size * c, t + size, laplacian)
        return x + size / 6 * (a + 2 * b + 2 * c + d)

    def curve(self, laplacian: Tensor, parts: int = 1) -> Tensor:
        """Return the states [T, P, K] after each step, which is taken in some parts."""
        states, size = [self.start.sigmoid().expand(laplacian.shape[:2])[..., None]], STEP / parts
        for index in range(parts * int(YEARS / STEP)):
            states.append(self.step(states[-1], index * size, laplacian, size))
        return torch.stack(states[::parts])[..., 0]


class Diffusion(Dynamics):
    """dx/dt = -k L x (Raj et al. 2012), so that x(t) = expm(-k L t) x(0), by eigenvectors of L."""

    def __init__(self, start: Tensor) -> None:
        super().__init__(start)
        self.log_k = nn.Parameter(torch.tensor(-1.0))

    def curve(self, laplacian: Tensor, parts: int = 1) -> Tensor:
        values, vectors = torch.linalg.eigh(laplacian)
        times = torch.arange(0, YEARS + STEP, STEP).to(values)[:, None, None]
        decay = torch.exp(-self.log_k.exp() * values * times)
        return torch.einsum("pij,tpj->tpi", vectors, decay * (vectors.mT @ self.start.sigmoid()))


class Fkpp(Dynamics):
    """dx/dt = -k L x + a x (1 - x) (Fisher; Kolmogorov, Petrovsky and Piskunov)."""

    def __init__(self, start: Tensor) -> None:
        super().__init__(start)
        self.log_k, self.log_a = (nn.Parameter(torch.tensor(-1.0)) for _ in range(2))

    def rate(self, x: Tensor, t: float, laplacian: Tensor) -> Tensor:
        return self.log_a.exp() * x * (1 - x) - self.log_k.exp() * laplacian @ x


class Ode(Dynamics):
    """dx/dt = a network of all regions."""

    def __init__(self, start: Tensor) -> None:
        super().__init__(start)
        self.free = perceptron(len(start))

    def rate(self, x: Tensor, t: float, laplacian: Tensor) -> Tensor:
        change: Tensor = self.free(x.mT).mT
        return change


class StagedExperts(Ode):
    """dx/dt = the sum of w_e(t) f_e(x) of diffusion, reaction and the network of all regions.

    Between two regions diffusivity is the mean of what a network says of each one's state.
    """

    def __init__(self, start: Tensor) -> None:
        super().__init__(start)
        self.diffusivity, self.reaction = perceptron(1), perceptron(1)
        self.slope = nn.Parameter(torch.zeros(3))
        self.level = nn.Parameter(torch.tensor([0.0, 0.0, -3.0]))  # free takes what these leave

    def weights(self, t: float) -> Tensor:
        """Return the experts' weights [3] at a time: a softmax of lines."""
        return (self.level + self.slope * (6 * t / YEARS - 3)).softmax(dim=0)

    def rate(self, x: Tensor, t: float, laplacian: Tensor) -> Tensor:
        k = softplus(self.diffusivity(x))
        spread = (k * (laplacian @ x) + laplacian @ (k * x) - x * (laplacian @ k)) / -2
        diffusion, reaction, free = self.weights(t)
        growth = reaction * x * self.reaction(x)
        change: Tensor = diffusion * spread + growth + free * super().rate(x, t, laplacian)
        return change


DYNAMICS = {"diffusion": Diffusion, "fkpp": Fkpp, "ode": Ode, "ignd-moe": StagedExperts}
