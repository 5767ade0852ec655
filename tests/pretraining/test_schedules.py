from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.tasks.pretraining.schedules import cosine, linear


def course(steps: Any, first: Any, last: Any, warmup: Any, start: Any, frozen: Any) -> NDArray[Any]:
    """The whole course as one array."""
    rest = steps - warmup - frozen
    angles = np.pi * np.arange(rest) / rest if rest else np.empty(0)
    falling = last + (first - last) / 2 * (1 + np.cos(angles))
    return np.concatenate([np.zeros(frozen), np.linspace(start, first, warmup), falling])


@pytest.mark.parametrize("values", [(2e-4, 1e-6), (0.04, 0.2), (0.994, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize("start", [0.0, 0.3])
@pytest.mark.parametrize(
    ("steps", "warmup", "frozen"),
    [
        (100, 0, 0),
        (100, 10, 0),
        (100, 10, 5),
        (100, 0, 5),
        (100, 1, 0),
        (100, 2, 1),
        (100, 99, 0),
        (100, 100, 0),
        (100, 60, 40),
        (100, 0, 100),
        (1, 0, 0),
        (1, 1, 0),
        (1, 0, 1),
        (2, 1, 0),
    ],
)
def test_cosine_is_the_array_step_by_step(
    steps: int, warmup: int, frozen: int, values: tuple[float, float], start: float
) -> None:
    ours = [cosine(step, steps, *values, warmup, start, frozen) for step in range(steps)]
    np.testing.assert_allclose(
        ours, course(steps, *values, warmup, start, frozen), rtol=0, atol=1e-12
    )
    assert cosine(steps, steps, *values, warmup, start, frozen) == values[1]
    assert cosine(steps + 7, steps, *values, warmup, start, frozen) == values[1]


@pytest.mark.parametrize("warmup", [0, 1, 2, 3, 50])
def test_linear_is_a_line_and_then_constant(warmup: int) -> None:
    ours = [linear(step, warmup, 0.04, 0.07) for step in range(warmup + 10)]
    expected = np.concatenate([np.linspace(0.04, 0.07, warmup), np.full(10, 0.07)])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12)


def test_a_short_run_stops_within_its_warm_up() -> None:
    ours = [cosine(step, 3, 1.0, 0.5, warmup=5) for step in range(5)]
    assert ours == [0.0, 0.25, 0.5, 0.5, 0.5]
