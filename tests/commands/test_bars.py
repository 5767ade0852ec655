"""On a terminal: bars that fit its width, and a whole run in a terminal of 60 columns."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from omnibench.commands.bars import Bars
from omnibench.context import STARTING
from omnibench.execute import Finished
from tests.commands.simulated_runs import unit_of
from tests.commands.test_board import board_of, units_of
from tests.test_cli import SUITE, write_npz

NARROW = 60  # columns
OTHER = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # what moves the cursor or sets a colour


@pytest.mark.parametrize("width", [20, NARROW, 100, 200])
def test_every_line_fits_the_terminal_and_names_its_own_unit(width: int) -> None:
    units = [
        unit_of("segmentation", f"phantom-{k}", "efficientnet-lite0", "linear", 3) for k in (1, 2)
    ]
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    bars = Bars(board_of(units, slots=2), console)
    bars.stage(units[1].name, STARTING, 0, 0)
    bars.stage(units[0].name, "features of train\x1b[2J", 250, 1000)
    with console.capture() as captured:
        console.print(bars._table())
    lines = OTHER.sub("", captured.get()).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width and "\x1b[2J" not in captured.get()
    if width >= NARROW:
        ends = [line.split()[-1] for line in lines]
        assert (ends[0], ends[1][-8:], ends[2]) == ("starting", "250/1000", "left")
    if width >= 100:
        assert "segmentation/" in lines[0] and "/linear ━━" in lines[0]
        assert "features of train\\x1b[2J 250/1000" in lines[1]
        assert lines[2].startswith("0/2 units ")


def test_reasons_stand_above_the_bars_at_once() -> None:
    (unit,), file = units_of("a"), io.StringIO()
    console = Console(file=file, force_terminal=True, width=NARROW)
    with Bars(board_of([unit]), console) as bars:
        bars.finished(Finished(unit, {0: "batch 32 exceeds 16 [bold]images[/bold]"}, 1.0))
        printed = " ".join(OTHER.sub("", file.getvalue()).split())
    assert "failed: t/d/a/full (1 of 1 cells): batch 32 exceeds 16 [bold]images[/bold]" in printed


class Terminal:
    """A command in a terminal of 60 columns."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.master, own = pty.openpty()
        termios.tcsetwinsize(own, (24, NARROW))
        environment = {**os.environ, "TERM": "xterm", "OMNIBENCH_DATA": str(folder / "data")}
        environment |= {"OMNIBENCH_RESULTS": str(folder / "results")}
        environment.pop("COLUMNS", None)
        command = [sys.executable, str(Path(__file__).parents[2] / "bench.py"), *arguments]
        self.process = subprocess.Popen(
            command, stdin=own, stdout=own, stderr=own, env=environment, start_new_session=True
        )
        os.close(own)
        self.text = ""

    def read_until(self, pattern: str) -> None:
        """Read what is printed until it holds a pattern, or the command ends."""
        while not re.search(pattern, OTHER.sub("", self.text)):
            if not self.read():
                raise AssertionError(self.text[-2000:])

    def read(self) -> bool:
        """Read what is printed; return whether the command goes on."""
        try:
            more = os.read(self.master, 65536)
        except OSError:  # its last process has closed it
            return False
        self.text += more.decode(errors="replace")
        return bool(more)

    def read_to_the_end(self) -> tuple[int, str]:
        """Return the exit status, and what was printed without colours and moves."""
        while self.read():
            pass
        os.close(self.master)
        return self.process.wait(), OTHER.sub("", self.text)


def write_suite(folder: Path, epochs: int) -> str:
    write_npz(folder / "two.npz")
    path = folder / "small.yaml"
    path.write_text(
        SUITE.replace("epochs: 5", f"epochs: {epochs}, batch: 10").replace("linear, knn", "full")
    )
    return str(path)


def test_a_run_in_a_narrow_terminal_and_ctrl_c_in_the_middle_of_a_bar(tmp_path: Path) -> None:
    suite = write_suite(tmp_path, 100_000)
    terminal = Terminal(tmp_path, "run", suite, "--backbones", "v")
    terminal.read_until("━.*trai")  # how far it is may be what is left out of so narrow a bar
    terminal.process.send_signal(signal.SIGINT)
    status, printed = terminal.read_to_the_end()
    assert status == 128 + signal.SIGINT
    assert terminal.text.rstrip().endswith("SIGINT: stopped; the same command goes on from here")
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
    bars = [line for line in printed.replace("\r", "\n").splitlines() if "━" in line]
    assert bars and max(map(len, bars)) < NARROW
    assert any(line.startswith("classification/npz-two/v/full") or "…" in line for line in bars)
    assert not list((tmp_path / "results" / "leases").glob("*.lease"))
