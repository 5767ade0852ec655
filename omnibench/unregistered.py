"""Records beside a suite's own whose backbone a plug-in made known, and that is not known here."""

from collections.abc import Iterable
from dataclasses import dataclass

from omnibench.catalogue import backbones
from omnibench.cell import Unit
from omnibench.record import look_at
from omnibench.store import RecordStore


@dataclass(frozen=True)
class Unregistered:
    """The records of one backbone on one dataset.

    Attributes:
        plugins: names of the files that were plugged in when they were made.
    """

    task: str
    dataset: str
    backbone: str
    records: int
    plugins: tuple[str, ...]

    def __str__(self) -> str:
        files = f" (as {', '.join(self.plugins)} did)" if self.plugins else ""
        return (
            f"{self.records} records of '{self.backbone}' on {self.task}/{self.dataset} are not "
            f"shown, as no backbone of this name is registered: name the file that registers it"
            f"{files} with --plugin, or under `plugins:` in the suite"
        )


def unregistered(units: Iterable[Unit], store: RecordStore) -> list[Unregistered]:
    """Return the backbones that a plug-in registered once and nothing does now.

    Looked for where the units have their records; what other suites define for themselves, and
    what pretrainings made, is not among them.
    """
    own: dict[tuple[str, str], set[str]] = {}
    for unit in units:
        own.setdefault((unit.task, unit.dataset.id), set()).add(unit.backbone.id)
    lost = []
    for (task, dataset), names in own.items():
        for folder in sorted((store.root / task / dataset).glob("*")):
            if folder.name in names or folder.name in backbones:
                continue
            paths = sorted(folder.glob("*/rep-*.json"))
            record = look_at(paths[0]) if paths else None
            if record is None:
                continue
            plugins = tuple(record["environment"].get("plugins", ()))
            if plugins or record["digests"].get("source.backbone", "").startswith("builder:"):
                lost.append(Unregistered(task, dataset, folder.name, len(paths), plugins))
    return lost
