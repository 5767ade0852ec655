"""The SLURM engine: job arrays of units, submitted and left to the cluster.

Results and data must be folders that every node sees under the same path.
"""

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.queue import Queue
from omnibench.engines.slurm_jobs import folder, held, note, noted, output
from omnibench.engines.slurm_profile import Profile, read_profile
from omnibench.errors import RequestError
from omnibench.execute import Finished
from omnibench.store import RecordStore

try:
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError
except ModuleNotFoundError:
    raise RequestError("--engine slurm needs submitit: pip install 'omnibench[slurm]'") from None

ARRAY_UNITS = 1000  # as many as SLURM's default MaxArraySize lets
log = logging.getLogger("omnibench")


def join(context: Context, device: str) -> Context:
    """Return the context of a job, as the profile has it.

    Args:
        device: as asked for; with "auto", CUDA where the profile asks for GPUs.

    Raises:
        RequestError: the profile is absent or wrong, or this machine submits no jobs.
    """
    profile = read_profile(context.profile)
    if shutil.which("sbatch") is None:
        raise RequestError("--engine slurm needs sbatch; give the command on a login node")
    if device == "auto":
        device = "cuda" if profile.gpus else "cpu"
    return replace(context, device=device, threads=profile.cpus, gpus=profile.gpus)


def run(units: Sequence[Unit], context: Context) -> Iterator[Finished]:
    """Submit what SLURM does not hold yet, and yield nothing: the jobs write the records."""
    profile, jobs = read_profile(context.profile), held(context.results)
    new = [unit for unit in units if unit.name not in jobs]
    _warn_of_lost(new, context)
    own = replace(context, jobs=1, profile=None)
    arrays = _arrays(new, context)
    caps = _caps([len(array) for array in arrays], profile.max_jobs)
    ids: list[str] = []
    for number, (array, cap) in enumerate(zip(arrays, caps, strict=True)):
        makers = sorted({jobs[maker.name] for maker in array[0].after if maker.name in jobs})
        waits = [f"afterok:{job}" for job in makers]
        if profile.max_jobs is not None and number >= profile.max_jobs:
            waits.append(f"afterany:{ids[number - profile.max_jobs]}")
        jobs |= (submitted := _submit(array, own, profile, cap, waits))
        note(context.results, submitted)
        ids.append(next(iter(submitted.values())).partition("_")[0])
        log.info("%d units submitted as job %s", len(array), ids[-1])
    yield from ()


def _warn_of_lost(units: Sequence[Unit], context: Context) -> None:
    """Name jobs that were killed as a whole, so that not even a failed record was written."""
    store, known = RecordStore(context.results), noted(context.results)
    for unit in units:
        if unit.name not in known or any(map(store.read, unit.cells)):
            continue
        job_output = output(context.results, known[unit.name])
        if job_output.exists():
            log.warning("%s: its last job ended without a record; see %s", unit.name, job_output)


def _arrays(units: Sequence[Unit], context: Context) -> list[list[Unit]]:
    """Put units that wait for the same ones together, and behind those; the longest first."""
    groups: dict[tuple[str, ...], list[Unit]] = {}
    for unit in Queue(units, context).waiting:
        groups.setdefault(tuple(maker.name for maker in unit.after), []).append(unit)
    arrays: list[list[Unit]] = []
    while groups:
        left = {unit.name for group in groups.values() for unit in group}
        ready = next(makers for makers in groups if not left.intersection(makers))
        group = groups.pop(ready)
        arrays += [group[k : k + ARRAY_UNITS] for k in range(0, len(group), ARRAY_UNITS)]
    return arrays


def _caps(sizes: Sequence[int], most: int | None) -> list[int]:
    """Return how many jobs of each array may run, so that all together keep to `most`.

    With more arrays than that, each takes one, and the later ones wait for earlier ones.
    """
    if most is None:
        return list(sizes)
    caps = [1] * len(sizes)
    for _ in range(min(most, sum(sizes)) - len(sizes)):
        fullest = max(range(len(sizes)), key=lambda k: (sizes[k] > caps[k], sizes[k] / caps[k]))
        caps[fullest] += 1
    return caps


def _submit(
    units: Sequence[Unit], context: Context, profile: Profile, cap: int, waits: Sequence[str]
) -> dict[str, str]:
    """Submit one array and return the job of each unit.

    Raises:
        RequestError: sbatch refuses it.
    """
    from omnibench.engines.slurm_job import UnitJob

    place = folder(context.results) / "jobs"
    executor = SlurmExecutor(place, max_num_timeout=profile.resubmissions)
    options: dict[str, str | int | bool] = {"requeue": True, **profile.sbatch}
    if profile.memory is not None:
        options["mem"] = f"{round(profile.memory * 1024)}M"
    if waits:
        options |= {"dependency": ",".join(waits), "kill-on-invalid-dep": "yes"}
    executor.update_parameters(
        job_name="omnibench",
        partition=profile.partition,
        account=profile.account,
        time=profile.time,
        cpus_per_task=profile.cpus,
        gpus_per_node=profile.gpus or None,
        signal_delay_s=profile.warning_seconds,
        array_parallelism=cap,
        wckey=None,
        stderr_to_stdout=True,
        # Newer versions of srun do not ask what the job was given.
        srun_args=[f"--cpus-per-task={profile.cpus}"],
        additional_parameters=options,
    )
    try:
        with executor.batch():
            started = [executor.submit(UnitJob(unit, context)) for unit in units]
    except (FailedJobError, FailedSubmissionError) as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("sbatch: error: ")
        raise RequestError(f"sbatch: {reason}; see --profile") from None
    return {unit.name: job.job_id for unit, job in zip(units, started, strict=True)}
