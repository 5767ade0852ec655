"""What `bench.py speed` measured of this machine, kept for `plan`. No torch here."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from omnibench.context import Context
from omnibench.environment import describe
from omnibench.files import write_atomically

FILE = "calibration.json"
Kind = Literal["frozen", "trained"]


@dataclass(frozen=True)
class Calibration:
    """The rates of one device.

    Attributes:
        device: the processor's or the GPU's name.
        date: of the latest measurement, ISO 8601; "" where nothing was measured.
        frozen, trained: precision ("fp32", "bf16") -> FLOP/s of frozen passes and of training.
    """

    device: str = ""
    date: str = ""
    frozen: Mapping[str, float] = field(default_factory=dict)
    trained: Mapping[str, float] = field(default_factory=dict)

    @property
    def basis(self) -> str:
        """Where an estimate's rates come from, in words."""
        if self.frozen and self.trained:
            return f"measured on this machine ({self.device}) on {self.date}"
        if self.frozen or self.trained:
            known, part = ("frozen passes", "training") if self.frozen else ("training", "features")
            return (
                f"{known} measured on this machine ({self.device}) on {self.date}, the rest rough: "
                f"run `bench.py speed {part}`"
            )
        return "rough: run `bench.py speed features training`"


def remember(context: Context, kind: Kind, rates: Mapping[str, float]) -> None:
    """Keep FLOP/s by precision for this device; what another machine left gives way.

    Raises:
        StoreError: the data folder is full or not writable.
    """
    calibrations = _read(context.data)
    mine = {"device": describe(context)["device"], "threads": context.threads}
    before = calibrations.get(_name(context), {})
    if any(before.get(name) != value for name, value in mine.items()):
        before = {}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    calibrations[_name(context)] = {**before, **mine, "date": today, kind: dict(rates)}
    write_atomically(context.data / FILE, json.dumps(calibrations, indent=1).encode())


def recall(context: Context) -> Calibration:
    """Return what was measured; nothing where it was on another processor or other threads.

    A GPU's name cannot be asked without torch, so the GPU that was measured is taken for this one
    and named.
    """
    measured = _read(context.data).get(_name(context), {})
    if _name(context) != "cuda":
        mine = (describe(context)["device"], context.threads)
        if mine != (measured.get("device"), measured.get("threads")):
            return Calibration()
    try:
        return Calibration(
            str(measured["device"]).partition(": ")[2] or str(measured["device"]),
            str(measured["date"]),
            {name: float(rate) for name, rate in measured.get("frozen", {}).items()},
            {name: float(rate) for name, rate in measured.get("trained", {}).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return Calibration()


def _name(context: Context) -> str:
    return context.device.partition(":")[0]


def _read(data: Path) -> dict[str, Any]:
    """The file's devices; nothing where it is absent or damaged, as it can be measured again."""
    try:
        content = json.loads((data / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: entry for name, entry in content.items() if isinstance(entry, dict)}
