"""Leases: one holder at a time, taken over from the dead, by the file system's clock."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import pytest

from omnibench import leases
from omnibench.errors import LostLeaseError, StoreError
from omnibench.leases import EXPIRY, Leases
from tests.waiting import wait_until

HOLD = """
import sys
from pathlib import Path
from omnibench.leases import Leases
print(Leases(Path(sys.argv[1])).take(sys.argv[2]) is not None, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def elsewhere(lease: Any, age: float, now: float | None = None) -> None:
    """Make a lease another machine's, touched so many seconds before now."""
    holder = json.loads(lease.path.read_bytes()) | {"machine": "another"}
    lease.path.write_text(json.dumps(holder))
    then = (now or time.time()) - age
    os.utime(lease.path, (then, then))


def test_one_holder_at_a_time_and_none_when_it_is_let_go(results: Path) -> None:
    first, second = Leases(results), Leases(results)
    lease = first.take("a")
    assert second.take("a") is None
    assert second.take("b") is not None
    assert second.living() == {"a", "b"}
    assert lease is not None
    first.release(lease)
    assert first.living() == {"b"}
    with second.held("a") as lease:
        assert lease is not None
        assert lease.is_held()
        with first.held("a") as other:
            assert other is None
    assert second.living() == {"b"}


def test_a_killed_holder_of_this_machine_is_followed_at_once(results: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(results), "a"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    assert Leases(results).take("a") is None
    holder.kill()
    holder.wait()
    lease = Leases(results).take("a")
    assert lease is not None
    assert lease.path.name.split(".")[1] == "1"  # the next generation
    assert lease is not None
    Leases(results).release(lease)
    assert list((results / "leases").iterdir()) == []  # and the dead one's file is gone too


def test_a_holder_elsewhere_is_followed_when_it_has_not_been_heard_of(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Leases(results).take("a")
    now = time.time()
    monkeypatch.setattr(leases, "file_system_time", lambda folder: now)
    assert lease is not None
    elsewhere(lease, EXPIRY - 5, now)
    assert Leases(results).take("a") is None
    assert lease is not None
    elsewhere(lease, EXPIRY + 5, now)
    assert Leases(results).living() == set()
    assert Leases(results).take("a") is not None


def test_age_is_told_by_the_file_systems_clock(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    elsewhere(lease, 0)
    monkeypatch.setattr(time, "time", lambda: 10.0**12)  # this machine's clock is far ahead
    assert Leases(results).take("a") is None


def test_a_lease_elsewhere_is_compared_with_that_clock_once_for_each_touch(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Path]()

    def told(folder: Path) -> float:
        asked.append(folder)
        return 1000.0

    monkeypatch.setattr(leases, "file_system_time", told)
    lease, other = Leases(results).take("a"), Leases(results)
    assert lease is not None
    elsewhere(lease, 0)
    for touched in (1000 - EXPIRY + 5, 1000 - EXPIRY + 6):
        assert lease is not None
        os.utime(lease.path, (touched, touched))
        assert [other.take("a") for _ in range(3)] == [None] * 3
    assert len(asked) == 2


def test_a_lease_that_is_let_go_while_it_is_taken_is_looked_at_again(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_go_meanwhile(self: Path, *arguments: Any, **named: Any) -> Any:
        if arguments == ("xb",):
            raise FileExistsError(17, "File exists")
        return open_path(self, *arguments, **named)

    open_path = Path.open
    monkeypatch.setattr(Path, "open", let_go_meanwhile)
    assert Leases(results).take("a") is None
    monkeypatch.undo()
    assert Leases(results).take("a") is not None


def test_a_pipe_in_a_leases_place_keeps_nobody_waiting(results: Path) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    lease.path.unlink()
    assert lease is not None
    os.mkfifo(lease.path)
    with pytest.raises(StoreError, match="cannot be read"):
        assert lease is not None
        lease.is_held()
    assert Leases(results).holder("a") == "it was let go just now"
    assert lease is not None
    os.utime(lease.path, (0, 0))
    assert Leases(results).living() == set()
    assert Leases(results).take("a") is not None


def test_a_process_number_given_to_another_process_is_no_holder(results: Path) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    holder = json.loads(lease.path.read_bytes()) | {"started": "1"}
    assert lease is not None
    lease.path.write_text(json.dumps(holder))
    assert Leases(results).take("a") is not None


def test_a_heartbeat_touches_what_is_held_and_names_what_was_deleted(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.05)
    caplog.set_level("DEBUG", "omnibench")
    lease = Leases(results).take("a")
    assert lease is not None
    os.utime(lease.path, (0, 0))
    wait_until(lambda: lease.path.stat().st_mtime != 0)
    assert lease is not None
    lease.path.unlink()
    wait_until(lambda: "the lease of a was taken over or deleted" in caplog.text)
    assert lease is not None
    assert not lease.path.exists()  # another may have had it since: it is not written again


def test_no_lease_comes_back_after_its_release(
    results: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.001)
    touching, releasing = threading.Event(), threading.Event()

    def late_utime(path: Path) -> None:
        touching.set()
        wait_until(releasing.is_set)
        os.utime(path)

    monkeypatch.setattr(leases, "utime", late_utime)
    own, threads = Leases(results), threading.active_count()
    for _ in range(20):
        lease = own.take("a")
        wait_until(touching.is_set)
        releasing.set()
        assert lease is not None
        own.release(lease)
        wait_until(lambda: threading.active_count() == threads)
        assert list((results / "leases").iterdir()) == []
        touching.clear()
        releasing.clear()
    assert caplog.text == ""  # none was touched that was gone


def test_a_late_holder_knows_that_it_was_followed_and_removes_nothing(results: Path) -> None:
    late = Leases(results)
    lease = late.take("a")
    assert lease is not None
    lease.require()
    assert lease is not None
    elsewhere(lease, EXPIRY + 5)
    other = Leases(results)
    successor = other.take("a")
    with pytest.raises(LostLeaseError, match="the lease of a was taken over or deleted"):
        assert lease is not None
        lease.require()
    assert lease is not None
    late.release(lease)
    assert successor is not None
    assert successor.is_held()
    assert successor is not None
    other.release(successor)
    again = other.take("a")
    assert again is not None
    assert again.path == lease.path  # the same name, and yet another lease
    assert lease is not None
    assert not lease.is_held()
    assert lease is not None
    late.release(lease)
    assert again is not None
    assert again.is_held()


def test_a_full_disk_leaves_no_empty_lease(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, *arguments: str, **named: str | None) -> IO[Any]:
        file = open_path(self, *arguments, **named)
        if self.suffix == ".lease" and arguments == ("xb",):
            file.close()
            file = open_path(Path("/dev/full"), "wb", buffering=0)
        result: IO[Any] = file
        return result

    open_path: Any = Path.open
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoreError, match=r"No space left on device; make room"):
        Leases(results).take("a")
    monkeypatch.undo()
    assert list((results / "leases").iterdir()) == []
    assert Leases(results).take("a") is not None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b'{"machine": "m", "pid": 1e999, "started": "1"}', b"\xff", b"[]"],
)
def test_a_lease_that_nobody_can_read_expires_when_nobody_touches_it(
    results: Path, content: bytes
) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    lease.path.write_bytes(content)
    assert Leases(results).take("a") is None  # it may be in the middle of its creation
    assert "cannot be read" in Leases(results).holder("a")
    then = time.time() - 2 * leases.BEAT - 1
    assert lease is not None
    os.utime(lease.path, (then, then))
    assert Leases(results).living() == set()
    assert Leases(results).take("a") is not None
    assert lease is not None
    assert not lease.is_held()


def test_a_folder_where_a_lease_goes_is_followed_too(results: Path) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    lease.path.unlink()
    assert lease is not None
    lease.path.mkdir()
    assert lease is not None
    os.utime(lease.path, (0, 0))
    assert Leases(results).take("a") is not None


@pytest.mark.parametrize("days", [-1, 1])
def test_a_dead_holder_elsewhere_is_followed_whatever_its_clock_says(
    results: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    lease = Leases(results).take("a")
    assert lease is not None
    elsewhere(lease, -days * 86_400)
    monkeypatch.setattr(leases, "EXPIRY", 0.2)
    other, taken = Leases(results), list[Any]()

    def has_taken() -> bool:
        taken.append(other.take("a"))
        return taken[-1] is not None

    wait_until(has_taken)


def test_a_stopped_holder_is_named_and_stolen_from(results: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(results), "a"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    own, stealing = Leases(results), Leases(results, steal=("stopped",))
    name = f"{holder.pid}@{socket.gethostname()}"
    assert f"process {name} holds it since 20" in own.holder("a")
    assert "stopped" not in own.holder("a")
    assert stealing.take("a") is None  # it runs
    holder.send_signal(signal.SIGSTOP)
    wait_until(lambda: "is stopped" in own.holder("a"))
    for way_out in ("fg", f"kill -CONT {holder.pid}", f"kill -KILL {holder.pid}", "--steal"):
        assert way_out in own.holder("a")
    assert own.take("a") is None
    lease = stealing.take("a")
    assert lease is not None
    assert lease.is_held()
    assert own.take("a") is None
    assert lease is not None
    stealing.release(lease)
    assert own.take("a") is not None
    holder.kill()


def test_any_holder_is_stolen_from_by_its_name(results: Path) -> None:
    lease = Leases(results).take("a")
    assert Leases(results, steal=("1@nowhere",)).take("a") is None
    assert Leases(results, steal=(f"{os.getpid()}@{socket.gethostname()}",)).take("a") is not None
    assert lease is not None
    assert not lease.is_held()


def _contend(results: Path, barrier: Any, wins: Any) -> None:
    own = Leases(results)
    for k in range(40):
        barrier.wait()
        lease = own.take(f"unit {k}")
        if lease is not None:
            wins.put(k)
        barrier.wait()  # the winner holds it until all have tried
        if lease is not None:
            own.release(lease)


def test_of_many_that_try_at_once_at_most_one_wins_also_over_a_dead_one(results: Path) -> None:
    dead = Leases(results)
    for k in range(0, 40, 2):
        assert dead is not None
        elsewhere(dead.take(f"unit {k}"), EXPIRY + 5)
    fork = multiprocessing.get_context("fork")
    barrier, wins = fork.Barrier(4), fork.Queue()
    processes = [fork.Process(target=_contend, args=(results, barrier, wins)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    won = []
    while not wins.empty():
        won.append(wins.get())
    assert len(won) == len(set(won))
    assert len(won) > 20  # two that meet both step back, and would try again


def test_a_folder_that_cannot_be_written_is_one_sentence(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.mkdir()
    (results / "leases").write_text("a file where the folder goes")
    with pytest.raises(StoreError, match="could not be written"):
        Leases(results).take("a")
