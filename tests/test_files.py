"""Temporary files: they go with their writers, and no write outlives its permission."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnibench.errors import LostLeaseError
from omnibench.files import ABANDONED_SECONDS, sweep, write_atomically
from omnibench.holder import Holder

DIE = """
import os, signal, sys
from pathlib import Path
from omnibench.files import being_written
with being_written(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_stays(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "records" / "task"
    subprocess.run([sys.executable, "-c", DIE, str(folder / "rep-0.json")], check=False)
    (left,) = folder.iterdir()
    assert re.fullmatch(r"\.rep-0\.json\.[0-9a-f]{8}-\d+-\d+-[0-9a-f]{8}\.tmp", left.name)
    own = folder / f".rep-1.json.{Holder.from_here().mark}-00000000.tmp"
    own.write_bytes(b"being written")
    (folder / "rep-2.json").write_bytes(b"whole")
    assert sweep(tmp_path) == 1
    assert sorted(path.name for path in folder.iterdir()) == [own.name, "rep-2.json"]


@pytest.mark.parametrize("name", [".x.json.0123abcd-1-1-00000000.tmp", ".x.json.77-00ab.tmp"])
def test_files_of_others_are_swept_after_a_day(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    assert sweep(tmp_path) == 0
    then = time.time() - ABANDONED_SECONDS - 60
    os.utime(path, (then, then))
    assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_absent_has_nothing_to_sweep(tmp_path: Path) -> None:
    assert sweep(tmp_path / "absent") == 0


def test_a_write_that_is_no_longer_allowed_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_atomically(path, b"of the successor")

    def lost() -> None:
        raise LostLeaseError("taken over")

    with pytest.raises(LostLeaseError):
        write_atomically(path, b"late", lost)
    assert path.read_bytes() == b"of the successor"
    assert list(tmp_path.iterdir()) == [path]
