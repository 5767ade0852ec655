"""A profile: what a job of the SLURM engine asks of the cluster, from a YAML file."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from omnibench.errors import RequestError
from omnibench.validation import validate
from omnibench.yaml_file import read_yaml


def _line(text: str) -> str:
    """Return what may stand in a line of the job script, of which a second would be a command."""
    if not text or not text.isprintable():
        raise ValueError(f"{text!r} is not one line of plain text")
    return text


def _option(name: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_-]*", name):
        raise ValueError(f"{name!r} is no option of sbatch by its long name, as qos is")
    return name


Line = Annotated[str, AfterValidator(_line)]
OptionName = Annotated[str, AfterValidator(_option)]
EXAMPLE = "{partition: gpu, time: 240, cpus: 8, gpus: 1, memory: 32, max_jobs: 16}"


class Profile(BaseModel):
    """What one job, which runs one unit, asks for.

    Attributes:
        partition, account: None for the cluster's own choice.
        time: limit of a job, in minutes.
        cpus: of a job; also its threads.
        gpus: of a job; with several, trainings through a backbone share them by torchrun.
        memory: of a job, in GiB; None for the partition's default.
        max_jobs: that run at a time; None for as many as the cluster lets.
        resubmissions: how often a job that its time limit cuts goes on before it counts as failed.
        sbatch: any other option of sbatch by its long name, as in {constraint: a100, qos: long}.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    partition: Line | None = None
    account: Line | None = None
    time: Annotated[int, Field(ge=1)]
    cpus: Annotated[int, Field(ge=1)] = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    memory: Annotated[float, Field(gt=0)] | None = None
    max_jobs: Annotated[int, Field(ge=1)] | None = None
    resubmissions: Annotated[int, Field(ge=0)] = 20
    sbatch: dict[OptionName, Line | int | bool] = Field(default_factory=dict)

    @property
    def warning_seconds(self) -> int:
        """Return how long before its time limit a job is warned: time for a checkpoint."""
        return min(120, self.time * 60 // 4)


def read_profile(path: Path | None) -> Profile:
    """Read a profile.

    Raises:
        RequestError: there is none, it is not YAML, or a field is wrong or unknown.
    """
    if path is None:
        raise RequestError(f"--engine slurm needs --profile FILE, such as {EXAMPLE}")
    try:
        return validate(Profile, read_yaml(path), str(path))
    except RequestError as error:
        raise RequestError(f"--profile: {error}") from None
