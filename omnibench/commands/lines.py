"""A run in plain lines: one for each unit that ends, and a heartbeat where none does."""

import threading
from datetime import timedelta
from types import TracebackType

from omnibench.commands.board import Board, Slot
from omnibench.execute import Finished
from omnibench.terminal import WIDTH, echo, print_above, printable, shortened

BEAT_SECONDS = 30.0  # after which a line is due
NAME = 40  # characters of a unit's name that a line has room for
STAGE = 60  # of its stage


class Lines:
    """Prints a line when a unit ends, and what every slot does when none was due for a while.

    Args:
        err: whether on standard error.
    """

    def __init__(self, board: Board, err: bool = False) -> None:
        self.board, self.err = board, err
        self.stage = board.stage
        self._due = board.began + BEAT_SECONDS
        self._ended = threading.Event()
        self._printing = threading.RLock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Lines":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def finished(self, result: Finished) -> None:
        """Print what became of a unit, why it failed, and the time that is left."""
        with self._printing:
            self.board.finished(result)
            failed = sum(message is not None for message in result.repetitions.values())
            rest = f": {len(result.repetitions) - failed} done"
            rest += f", {failed} failed" if failed else ""
            rest += f" in {result.seconds:.1f} s"
            rest += f", {self.board.left}" if self.board.left else ""
            head = f"[{self.board.ended}/{self.board.total}] "
            self._print(head + shortened(result.unit.name, WIDTH - len(head + rest)) + rest)
            for sentence in self.board.reasons(result):
                print_above(sentence)

    def beat(self) -> None:
        """Print what every slot does, where a line is due."""
        with self._printing:
            if self.board.clock() < self._due:
                return
            head = f"{_elapsed(self.board.clock() - self.board.began)}: {self.board.count}"
            head += f", {self.board.left}" if self.board.left else ""
            slots = self.board.busy()
            room = WIDTH - len(head) - 2
            if len(slots) == 1 and len(self._line(slots[0], room)) <= room:
                self._print(f"{head}; {self._line(slots[0], room)}")
                return
            self._print(head)
            for slot in slots:
                self._print("  " + self._line(slot, WIDTH - 2))

    def _line(self, slot: Slot, width: int) -> str:
        """Return what a slot does, in `width` characters where the name has room for it."""
        rest = f": {shortened(slot.words, STAGE)}, for {_elapsed(self.board.clock() - slot.began)}"
        name = printable(slot.unit)
        return shortened(name, max(min(NAME, len(name)), width - len(rest))) + rest

    def _print(self, line: str) -> None:
        self._due = self.board.clock() + BEAT_SECONDS
        echo(line, err=self.err)

    def _run(self) -> None:
        while not self._ended.wait(max(0.1, self._due - self.board.clock())):
            self.beat()


def _elapsed(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
