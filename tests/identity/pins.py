"""The pinned digests of the shipped suites' cells, and the defaults behind them.

`python -m tests.identity.pins` writes both files anew: after a task's version was raised, or when a
suite ships or changes. A digest that changes without that makes records on disk count as missing; a
default that changes without it gives other numbers under an old digest.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from omnibench.catalogue import tasks
from omnibench.sources import Sources
from omnibench.suite import load, shipped
from omnibench.task import Adaptation

FOLDER = Path(__file__).parent
DIGESTS, DEFAULTS = FOLDER / "digests.txt", FOLDER / "defaults.json"


def digest_lines() -> list[str]:
    """Return "suite unit repetition digest" of every cell, on a machine that has no data."""
    with tempfile.TemporaryDirectory() as empty:
        sources = Sources(Path(empty), Path(empty))
        return [
            f"{name} {unit.name} {cell.repetition} {cell.digest[:32]}"
            for name in shipped()
            for unit in load(name, sources).units
            for cell in unit.cells
        ]


def defaults() -> dict[str, Any]:
    """Return task -> its version, and adaptation -> the defaults of its options and recipes."""
    return {
        name: {
            "version": tasks.get(name).version,
            "adaptations": {
                adaptation.name: {
                    "options": _option_defaults(adaptation.options),
                    "decodings": list(adaptation.decodings),
                    "recipes": _recipe_defaults(adaptation),
                    **{
                        f"{option}: {value}": _recipe_defaults(variant)
                        for (option, value), variant in adaptation.variants.items()
                    },
                }
                for adaptation in tasks.get(name).adaptations.values()
            },
        }
        for name in sorted(tasks)
    }


def _recipe_defaults(adaptation: Adaptation) -> dict[str, Any]:
    return {name: model.model_dump(mode="json") for name, model in adaptation.recipes.items()}


def _option_defaults(model: Any) -> dict[str, Any]:
    return {
        name: field.default for name, field in model.model_fields.items() if not field.is_required()
    }


if __name__ == "__main__":
    DIGESTS.write_text("".join(f"{line}\n" for line in digest_lines()))
    DEFAULTS.write_text(json.dumps(defaults(), indent=1, sort_keys=True) + "\n")
