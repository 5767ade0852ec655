"""Where an engine computes: this machine, or those of a cluster, which may be unlike it."""

from dataclasses import replace
from pathlib import Path

from omnibench.context import Context
from omnibench.errors import RequestError


def on_cluster(
    engine: str, context: Context, device: str, address: str | None, profile: Path | None
) -> Context:
    """The context of the machines on which an engine computes.

    Args:
        device: as asked for; "auto" is what these machines have.
        address: of a running Ray cluster.
        profile: what a SLURM job asks for.

    Raises:
        RequestError: an option of another engine, or a cluster that cannot be used.
    """
    if address is not None and engine != "ray":
        raise RequestError("--address is of --engine ray")
    if profile is not None and engine != "slurm":
        raise RequestError("--profile is of --engine slurm")
    if engine == "ray" and address is not None:
        from omnibench.engines import ray

        return ray.join(context, address, device)
    if engine == "slurm":
        from omnibench.engines import slurm

        return slurm.join(replace(context, profile=profile), device)
    return context
