"""Measure what shape costs on masks of 512 pixels, beside the distances in pixels."""

from collections.abc import Iterator

import numpy as np

from benchmarks import Measure, image_rates
from omnibench.data.phantom.vessels import draw
from omnibench.tasks.segmentation.centreline import centreline_measures
from omnibench.tasks.segmentation.distances import surface_distances
from omnibench.tasks.segmentation.surfels import surfel_dice
from omnibench.tasks.segmentation.topology import betti_errors

SIZE, IMAGES, SHIFT, ROUNDS = 512, 4, 3, 5
SPACINGS = [(0.5, 0.5)] * IMAGES  # mm
CONTOURS, PIXELS = "nsd-surfel-1mm", "hd95 and nsd-2px"


def measure(device: str) -> Iterator[Measure]:
    """Yield images a second of each measure, taken in turn on trees of vessels, on one core."""
    truth = np.stack([draw(f"test-{index:05d}", SIZE)[1] for index in range(IMAGES)])
    predicted = np.roll(truth, SHIFT, axis=2)
    rates = image_rates(
        {
            PIXELS: lambda _: surface_distances(predicted, truth, 2),
            CONTOURS: lambda _: surfel_dice(predicted, truth, 2, SPACINGS),
            "cldice and centreline": lambda _: centreline_measures(predicted, truth, 2),
            "betti-error": lambda _: betti_errors(predicted, truth, 2),
        },
        IMAGES,
        ROUNDS,
        "cpu",
    )
    pixels = rates.pop(PIXELS)
    yield Measure("shapes", f"{PIXELS} of masks of {SIZE} px", pixels, "images/s")
    for name, rate in rates.items():
        bound = ">= 0.5" if name == CONTOURS else None
        yield Measure("shapes", f"{name}, against it", rate, "images/s", rate / pixels, bound)
