"""`speed`: measure, and print each figure beside what it is held to."""

import logging

from omnibench.commands.session import best_device, echo_json, usable_cores
from omnibench.context import Context, default_data, default_results
from omnibench.environment import describe
from omnibench.errors import RequestError
from omnibench.registry import did_you_mean, import_attribute
from omnibench.speed import PARTS, Measure
from omnibench.terminal import echo


def measure(only: tuple[str, ...], device: str, as_json: bool) -> None:
    """Measure the named parts, or all of them."""
    for name in only:
        if name not in PARTS:
            raise RequestError(
                f"there is no part '{name}' to measure{did_you_mean(name, PARTS)} "
                f"(there are: {', '.join(PARTS)})"
            )
    device = best_device() if device == "auto" else device
    context = Context(default_results(), default_data(), device, usable_cores())
    logging.getLogger("omnibench").setLevel(logging.ERROR)
    environment = describe(context)
    if not as_json:
        packages = environment["packages"]
        echo(
            f"{environment['device']}, {context.threads} threads, torch {packages['torch']}, "
            f"timm {packages['timm']}"
        )
    found: list[Measure] = []
    for name in only or PARTS:
        for figure in import_attribute(PARTS[name])(device):
            found.append(figure)
            if not as_json:
                echo(_line(figure))
    if as_json:
        echo_json(
            {
                "environment": environment,
                "measures": [{**vars(measure), "holds": measure.holds} for measure in found],
            }
        )


def _line(measure: Measure) -> str:
    text = f"{measure.part:9} {measure.name:60} {measure.value:12.4g} {measure.unit:9}"
    if measure.ratio is not None:
        text += f" ratio {measure.ratio:.3g}"
    if measure.bound is not None:
        text += f"  ({measure.bound}: {'holds' if measure.holds else 'DOES NOT HOLD'})"
    return text.rstrip()
