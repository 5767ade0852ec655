"""Run the benchmarks of a checkout, and print each figure beside what it is held to."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omnibench.context import Context, default_data, default_results
from omnibench.device import best_device, default_threads
from omnibench.environment import describe
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean, import_attribute
from omnibench.terminal import echo, echo_json

if TYPE_CHECKING:
    from benchmarks import Measure, Part

CHECKOUT = Path(__file__).resolve().parents[2]


def measure(only: tuple[str, ...], device: str, threads: int | None, as_json: bool) -> None:
    """Measure the named parts, or all of them.

    Raises:
        RequestError: a part is unknown, or the benchmarks are not there.
    """
    every, parts = _parts()
    for name in only:
        if name not in parts:
            raise RequestError(
                f"there is no part '{name}' to measure{did_you_mean(name, parts)} "
                f"(there are: {', '.join(parts)})"
            )
    if threads is not None:  # for whatever a part starts
        os.environ["OMP_NUM_THREADS"] = str(threads)
    device = best_device() if device == "auto" else device
    context = Context(default_results(), default_data(), device, default_threads())
    logging.getLogger("omnibench").setLevel(logging.ERROR)
    environment = describe(context)
    if not as_json:
        packages = environment["packages"]
        echo(
            f"{environment['device']}, {context.threads} threads, torch {packages['torch']}, "
            f"timm {packages['timm']}"
        )
    measures: list[Measure] = []
    for name in only or every:
        part: Part = import_attribute(parts[name])
        for figure in part(device):
            measures.append(figure)
            if not as_json:
                echo(_line(figure))
    if as_json:
        echo_json(
            {
                "environment": environment,
                "measures": [{**vars(figure), "holds": figure.holds} for figure in measures],
            }
        )


def _parts() -> tuple[dict[str, str], dict[str, str]]:
    """Return the benchmarks of the checkout, which the wheel leaves out.

    Returns:
        Those that are measured where none is named, and all of them.

    Raises:
        RequestError: omnibench runs from an installed wheel.
    """
    if not (CHECKOUT / "benchmarks" / "calibrate.py").is_file():
        raise RequestError(
            "the benchmarks come with a checkout of omnibench's repository and this is an "
            "installed package; run `python bench.py speed` in a checkout"
        )
    sys.path.insert(0, str(CHECKOUT))
    from benchmarks import BESIDE, PARTS

    return PARTS, {**PARTS, **BESIDE}


def _line(measure: "Measure") -> str:
    text = f"{measure.part:9} {measure.name:60} {measure.value:12.4g} {measure.unit:9}"
    if measure.ratio is not None:
        text += f" ratio {measure.ratio:.3g}"
    if measure.bound is not None:
        text += f"  ({measure.bound}: {'holds' if measure.holds else 'DOES NOT HOLD'})"
    return text.rstrip()
