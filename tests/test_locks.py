import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

import omnibench.locks
from omnibench.locks import locked
from tests.conftest import WhenLogged

HOLD = """
import sys
from pathlib import Path
from omnibench.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_is_free_after_its_block(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"), pytest.raises(Timeout):
        FileLock(tmp_path / "lock").acquire(timeout=0)
    with FileLock(tmp_path / "lock").acquire(timeout=0) as free:
        assert free.is_locked


def test_a_lock_of_the_same_inode_on_another_device_is_another(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "lock"
    assert f"process {holder.pid} " in omnibench.locks._holder_of(lock)
    monkeypatch.setattr(os, "minor", lambda device: 0xFFFFF)
    assert omnibench.locks._holder_of(lock) == "another process holds it"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_wait_names_the_holder_and_a_stopped_one_with_the_way_out(
    holder: subprocess.Popen[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    when_logged: WhenLogged,
    caplog: pytest.LogCaptureFixture,
    stopped: bool,
) -> None:
    monkeypatch.setattr(omnibench.locks, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(omnibench.locks, "REPEAT_SECONDS", 0.05)
    if stopped:
        os.kill(holder.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
    when_logged("waiting for the lock", holder.kill)
    with locked(tmp_path / "lock"):
        pass
    words = "holds it and is stopped; go on with it (fg) or end it" if stopped else "holds it"
    assert f"waiting for the lock {tmp_path / 'lock'}: process {holder.pid} {words}" in caplog.text
