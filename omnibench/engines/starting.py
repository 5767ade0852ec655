"""What a process does before its first unit, and the error of what stops it there."""

from omnibench.catalogue import load_plugin
from omnibench.context import Context
from omnibench.errors import OmnibenchError
from omnibench.pretrained import register_recorded


def register_all(context: Context) -> None:
    """Make known in this process what its runner knows: installed, from plug-ins, recorded.

    Raises:
        RequestError: a plug-in cannot be imported here.
    """
    for plugin in context.plugins:
        load_plugin(plugin)
    register_recorded(context.results)


def refusal(error: Exception) -> OmnibenchError:
    """Return the error for the records of a unit whose process this one stopped."""
    if isinstance(error, OmnibenchError):
        return error
    reason = " ".join(str(error).split())
    return OmnibenchError(f"its process could not start: {type(error).__name__}: {reason}")
