"""Which units SLURM holds: a small file for each submission, and the queue as squeue shows it."""

import datetime
import json
import logging
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from omnibench.errors import RequestError
from omnibench.files import read_regular, write_atomically

log = logging.getLogger("omnibench")


def folder(results: Path) -> Path:
    """Where submissions, and the jobs' own output below jobs/, lie."""
    return results / "slurm"


def note(results: Path, jobs: Mapping[str, str]) -> None:
    """Keep the job of each unit of one submission.

    Raises:
        StoreError: the folder cannot be written.
    """
    first = next(iter(jobs.values())).partition("_")[0]
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = json.dumps({"submitted": now, "jobs": dict(jobs)}, indent=1)
    write_atomically(folder(results) / f"submission-{first}.json", content.encode())


def queued(results: Path) -> dict[str, str]:
    """The same as `held`; where SLURM cannot be asked, a warning and nothing."""
    try:
        return held(results)
    except RequestError as error:
        log.warning("jobs in the queue count as missing: %s", error)
        return {}


def held(results: Path) -> dict[str, str]:
    """The units whose jobs wait or run, by name, with the job's id.

    Raises:
        RequestError: SLURM cannot be asked.
    """
    known = noted(results)
    listed = _listed() if known else set()
    return {unit: job for unit, job in known.items() if job in listed}


def noted(results: Path) -> dict[str, str]:
    """The last job of every unit that was ever submitted."""
    found: dict[str, str] = {}
    # By the job's number: a clock may have been set back between two submissions.
    paths = folder(results).glob("submission-*.json")
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):
        try:
            jobs = json.loads(read_regular(path))["jobs"]
            found.update({str(unit): str(job) for unit, job in jobs.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("%s is damaged; its jobs are not known", path)
    return found


def output(results: Path, job: str) -> Path:
    """What a job wrote; absent where it never began."""
    return folder(results) / "jobs" / f"{job}_0_log.out"


def _listed() -> set[str]:
    """Ids of all jobs that have not ended; one of an array as 17_3."""
    if shutil.which("squeue") is None:
        raise RequestError("squeue is not on this machine; ask on a node of the cluster")
    command = ["squeue", "--noheader", "--array", "--format=%i"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        reason = asked.stderr.strip().splitlines() or [f"exit status {asked.returncode}"]
        raise RequestError(f"squeue failed ({reason[-1]}); try again")
    return set(asked.stdout.split())
