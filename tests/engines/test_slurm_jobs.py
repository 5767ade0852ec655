"""Which job is a unit's last one, whatever clocks say and whatever is left of the files."""

import os
from pathlib import Path

import pytest

from omnibench.engines.slurm_jobs import folder, note, noted


def test_the_last_job_is_told_by_its_number_not_by_a_clock(tmp_path: Path) -> None:
    for job in ("9_0", "10_0", "100_0"):
        note(tmp_path, {"a": job, job: job})
    os.utime(folder(tmp_path) / "submission-9.json", (2**32, 2**32))  # far in the future
    assert noted(tmp_path) == {"9_0": "9_0", "10_0": "10_0", "100_0": "100_0", "a": "100_0"}


@pytest.mark.parametrize(
    "content", ["", "[]", '{"jobs": 3}', '{"jobs": ["a"]}', "[" * 100_000, "null", "a pipe"]
)
def test_a_damaged_submission_is_named_and_the_others_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    note(tmp_path, {"a": "1_0"})
    path = folder(tmp_path) / "submission-2.json"
    if content == "a pipe":
        os.mkfifo(path)
    else:
        path.write_text(content)
    assert noted(tmp_path) == {"a": "1_0"}
    assert f"{path} is damaged" in caplog.text
