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
    """Return the folder of submissions, and of the jobs' own output below jobs/."""
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
    """Return the same as `held`; where SLURM cannot be asked, warn and return nothing."""
    try:
        return held(results)
    except RequestError as error:
        log.warning("jobs in the queue count as missing: %s", error)
        return {}


def held(results: Path) -> dict[str, str]:
    """Return the units whose jobs wait or run, by name, with the job's id.

    Raises:
        RequestError: SLURM cannot be squeue.
    """
    known = noted(results)
    listed = _listed() if known else set()
    return {unit: job for unit, job in known.items() if job in listed}


def noted(results: Path) -> dict[str, str]:
    """Return the last job of every unit that was ever submitted."""
    jobs_of_units: dict[str, str] = {}
    # By the job's number: a clock may have been set back between two submissions.
    paths = folder(results).glob("submission-*.json")
    for path in sorted(paths, key=lambda path: (len(path.name), path.name)):
        try:
            jobs = json.loads(read_regular(path))["jobs"]
            jobs_of_units.update({str(unit): str(job) for unit, job in jobs.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            log.warning("%s is damaged; its jobs are not known", path)
    return jobs_of_units


def output(results: Path, job: str) -> Path:
    """Return the file that a job wrote its output to; absent where it never began."""
    return folder(results) / "jobs" / f"{job}_0_log.out"


def _listed() -> set[str]:
    """Return the ids of all jobs that have not ended; of one in an array as 17_3."""
    if shutil.which("squeue") is None:
        raise RequestError("squeue is not on this machine; ask on a node of the cluster")
    command = ["squeue", "--noheader", "--array", "--format=%i"]
    squeue = subprocess.run(command, capture_output=True, text=True, check=False)
    if squeue.returncode:
        reason = squeue.stderr.strip().splitlines() or [f"exit status {squeue.returncode}"]
        raise RequestError(f"squeue failed ({reason[-1]}); try again")
    return set(squeue.stdout.split())
