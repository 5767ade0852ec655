import torch

from omnibench.tasks.classification.lbfgs import PAIRS, Memory


def test_a_direction_is_that_of_the_inverse_hessian_written_out() -> None:
    generator = torch.Generator().manual_seed(0)
    problems, width = 3, 6
    memory = Memory()
    pairs = []
    for _ in range(PAIRS + 2):
        step = torch.randn(problems, 2, 3, generator=generator, dtype=torch.float64)
        noise = torch.randn(problems, 2, 3, generator=generator, dtype=torch.float64)
        change = 2 * step + 0.3 * noise
        change[1] *= (step[1] * change[1]).sum().sign()
        memory.add(step, change)
        pairs.append((step.flatten(1), change.flatten(1)))
    gradient = torch.randn(problems, 2, 3, generator=generator, dtype=torch.float64)
    curvature = torch.rand(problems, 2, 3, generator=generator, dtype=torch.float64) + 0.5
    directions = memory.direction(gradient, curvature)
    for problem in range(problems):
        own = [(s[problem], y[problem]) for s, y in pairs[-PAIRS:]]
        inverse = torch.diag(1 / curvature[problem].flatten())
        step, change = own[-1]
        inverse *= step @ change / (change @ inverse @ change)
        for step, change in own:
            rho = 1 / (step @ change)
            left = torch.eye(width, dtype=torch.float64) - rho * torch.outer(step, change)
            inverse = left @ inverse @ left.T + rho * torch.outer(step, step)
        expected = -inverse @ gradient[problem].flatten()
        assert torch.allclose(directions[problem].flatten(), expected, rtol=1e-9)


def test_problems_that_are_not_kept_are_forgotten() -> None:
    generator = torch.Generator().manual_seed(1)
    every, some = Memory(), Memory()
    mask = torch.tensor([True, False, True])
    for _ in range(3):
        step = torch.randn(3, 1, 4, generator=generator, dtype=torch.float64)
        every.add(step, 2 * step)
        some.add(step[mask], 2 * step[mask])
    every.keep(mask)
    gradient = torch.randn(2, 1, 4, generator=generator, dtype=torch.float64)
    ones = torch.ones_like(gradient)
    assert torch.equal(every.direction(gradient, ones), some.direction(gradient, ones))


def test_a_step_along_which_the_gradient_does_not_grow_teaches_nothing() -> None:
    memory = Memory()
    step = torch.ones(1, 1, 2, dtype=torch.float64)
    memory.add(step, -step)
    assert torch.equal(memory.direction(step, 2 * step), -step / 2)
