"""Errors for people: each message says what is wrong, where, and the way out, in one sentence."""


class OmnibenchError(Exception):
    """Base of every error omnibench raises on purpose.

    Attributes:
        kind: the short word a failed record carries, such as "data" or "missing weights".
        exit_status: what the command returns when nothing catches it (2: wrong request, 1: failed).
    """

    kind = "error"
    exit_status = 1

    def __str__(self) -> str:
        """Return the message in one line, whatever a name in it holds."""
        return super().__str__().replace("\r", "\\r").replace("\n", "\\n")


class RequestError(OmnibenchError):
    """The request itself is wrong: an unknown name, a field of the wrong type, an empty matrix."""

    kind = "request"
    exit_status = 2


class ExtensionError(OmnibenchError):
    """A metric, an adaptation or another part from outside raised, or gave what it must not."""

    kind = "extension"


class DataError(OmnibenchError):
    """A dataset is absent, damaged, or not what its card says."""

    kind = "data"


class WeightsError(OmnibenchError):
    """Weights do not fit the architecture, or their checksum is not the pinned one."""

    kind = "weights"


class MissingWeightsError(WeightsError):
    """Weights that are neither on disk nor reachable; the message says where to put them."""

    kind = "missing weights"


class StoreError(OmnibenchError):
    """A record or a cached file cannot be written or read back."""

    kind = "store"


class DamageError(StoreError):
    """A file that is read back is not as it was written."""


class LinkError(StoreError):
    """A link in the results folder leads out of it: nothing is read or written through it."""

    exit_status = 2


class NewerRecordError(StoreError):
    """A record of a schema that this version does not know: it is neither read nor written."""

    exit_status = 2


class LostLeaseError(OmnibenchError):
    """Another runner has taken the unit over: what this one made of it is not recorded."""

    kind = "lost lease"


class NumericError(OmnibenchError):
    """A non-finite number where a finite one is due."""

    kind = "numeric"


class CollapseError(NumericError):
    """A self-supervised training whose features stopped telling images apart."""

    kind = "collapse"


class MemoryShortageError(OmnibenchError):
    """Not enough memory for a batch that may not be split, or more of it than the unit may take."""

    kind = "out of memory"


class TimeLimitError(OmnibenchError):
    """A unit ran for longer than it may."""

    kind = "time"


class KilledError(OmnibenchError):
    """The process of a unit ended without a word: killed, out of memory, a crash in native code."""

    kind = "killed"


def one_line(error: BaseException) -> str:
    """Return another's error message on one line, whatever it is."""
    try:
        return " ".join(str(error).split())
    except Exception:  # of a plug-in's own class, say
        return "its message cannot be read"
