"""What is said of the weights that cells keep: which done ones have none, and what they take."""

from collections.abc import Iterable
from pathlib import Path

from omnibench.record_files import WEIGHTS
from omnibench.states import CellState
from omnibench.store import RecordStore


def weights_remark(states: Iterable[CellState], store: RecordStore, source: str) -> str:
    """Return a sentence on the done cells that kept no weights though the suite asks; "" for none.

    Args:
        source: the suite as it was asked for.
    """
    lacking = sum(
        state.state == "done"
        and state.cell.unit.keeps_weights
        and not store.path(state.cell).with_suffix(f".{WEIGHTS}").is_file()
        for state in states
    )
    if not lacking:
        return ""
    cells = f"{lacking} done cell{'s' * (lacking > 1)}"
    return (
        f"{cells} kept no weights, as the suite did not say `keep` then; `omnibench run {source} "
        "--force` trains again what its filters leave"
    )


def weight_sizes(results: Path) -> list[int]:
    """Return the size in bytes of each file of weights below a results folder."""
    return [path.stat().st_size for path in (results / "records").rglob(f"rep-*.{WEIGHTS}")]
