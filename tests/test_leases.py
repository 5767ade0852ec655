"""Leases: one holder at a time, taken over from the dead, by the file system's clock."""

import json
import multiprocessing
import os
import subprocess
import sys
import time

import pytest

from omnibench import leases
from omnibench.errors import StoreError
from omnibench.leases import EXPIRY, Leases

HOLD = """
import sys, time
from pathlib import Path
from omnibench.leases import Leases
print(Leases(Path(sys.argv[1])).take(sys.argv[2]) is not None, flush=True)
time.sleep(60)
"""


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def elsewhere(lease, age):
    """Make a lease another machine's, touched so many seconds ago."""
    holder = json.loads(lease.path.read_bytes()) | {"machine": "another"}
    lease.path.write_text(json.dumps(holder))
    then = time.time() - age
    os.utime(lease.path, (then, then))


def test_one_holder_at_a_time_and_none_when_it_is_let_go(results):
    first, second = Leases(results), Leases(results)
    lease = first.take("a")
    assert second.take("a") is None
    assert second.take("b") is not None
    assert second.living() == {"a", "b"}
    first.release(lease)
    assert first.living() == {"b"}
    with second.held("a") as ours:
        assert ours
        with first.held("a") as theirs:
            assert not theirs
    assert second.living() == {"b"}


def test_a_killed_holder_of_this_machine_is_followed_at_once(results):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(results), "a"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    assert Leases(results).take("a") is None
    holder.kill()
    holder.wait()
    lease = Leases(results).take("a")
    assert lease.path.name.split(".")[1] == "1"  # the next generation
    Leases(results).release(lease)
    assert list((results / "leases").iterdir()) == []  # and the dead one's file is gone too


def test_a_holder_elsewhere_is_followed_when_it_has_not_been_heard_of(results):
    lease = Leases(results).take("a")
    elsewhere(lease, EXPIRY - 5)
    assert Leases(results).take("a") is None
    elsewhere(lease, EXPIRY + 5)
    assert Leases(results).living() == set()
    assert Leases(results).take("a") is not None


def test_age_is_told_by_the_file_systems_clock(results, monkeypatch):
    lease = Leases(results).take("a")
    elsewhere(lease, 0)
    monkeypatch.setattr(time, "time", lambda: 10.0**12)  # this machine's clock is far ahead
    assert Leases(results).take("a") is None


def test_a_process_number_given_to_another_process_is_no_holder(results):
    lease = Leases(results).take("a")
    holder = json.loads(lease.path.read_bytes()) | {"started": "1"}
    lease.path.write_text(json.dumps(holder))
    assert Leases(results).take("a") is not None


def test_a_damaged_lease_counts_until_it_is_old(results):
    lease = Leases(results).take("a")
    lease.path.write_bytes(b'{"machine": "th')
    assert Leases(results).take("a") is None
    then = time.time() - EXPIRY - 5
    os.utime(lease.path, (then, then))
    assert Leases(results).take("a") is not None


def test_a_heartbeat_touches_and_a_deleted_lease_is_written_again(results, monkeypatch, caplog):
    monkeypatch.setattr(leases, "BEAT", 0.05)
    lease = Leases(results).take("a")
    os.utime(lease.path, (0, 0))
    deadline = time.monotonic() + 10
    while lease.path.stat().st_mtime == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    lease.path.unlink()
    while not lease.path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "was deleted; it is written again" in caplog.text


def _contend(results, barrier, wins):
    own = Leases(results)
    for k in range(40):
        barrier.wait()
        lease = own.take(f"unit {k}")
        if lease is not None:
            wins.put(k)
        barrier.wait()  # the winner holds it until all have tried
        if lease is not None:
            own.release(lease)


def test_of_many_that_try_at_once_at_most_one_wins_also_over_a_dead_one(results):
    dead = Leases(results)
    for k in range(0, 40, 2):
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


def test_a_folder_that_cannot_be_written_is_one_sentence(results, monkeypatch):
    results.mkdir()
    (results / "leases").write_text("a file where the folder goes")
    with pytest.raises(StoreError, match="could not be written"):
        Leases(results).take("a")
