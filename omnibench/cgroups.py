"""What the control groups of Linux (v1 and v2) leave a process of the machine: time and memory."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")
NO_LIMIT = 2**60  # v1 writes a number of this kind where memory is not limited


def cpu_quota(proc: Path = PROC) -> float | None:
    """Return how many cores' time a process gets, such as 1.5; None where nothing limits it.

    The least of its own group and of those around it: `cpu.max` of v2, `cpu.cfs_quota_us` and
    `cpu.cfs_period_us` of v1.

    Args:
        proc: the process's folder below /proc.
    """
    quotas = []
    for folder in _groups(proc, "cpu"):
        quota, period = [*_words(folder / "cpu.max"), "", ""][:2]
        if not quota:
            quota, period = (
                "".join(_words(folder / f"cpu.cfs_{part}_us")) for part in ("quota", "period")
            )
        if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
            quotas.append(int(quota) / int(period))  # no limit reads "max" or -1
    return min(quotas, default=None)


def memory_limit(proc: Path = PROC) -> int | None:
    """Return how many bytes a process's group may take; None where nothing limits it.

    The least of its own group and of those around it: `memory.max` of v2, `memory.limit_in_bytes`
    of v1.
    """
    limits = [
        int(word)
        for folder in _groups(proc, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for word in _words(folder / name)
        if word.isdecimal() and int(word) < NO_LIMIT
    ]
    return min(limits, default=None)


def _groups(proc: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of a process's groups of a controller, each followed by those around it."""
    mounts = list(_mounts(proc))
    for line in _lines(proc / "cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        unified = number == "0" and not controllers
        if not unified and controller not in controllers.split(","):
            continue
        for kind, options, root, point in mounts:
            if kind == "cgroup2" if unified else kind == "cgroup" and controller in options:
                # In a container the path may be the host's, of which the mount shows a part.
                inside = PurePosixPath(path)
                inner = inside.relative_to(root) if inside.is_relative_to(root) else "."
                folder = point / inner
                yield folder
                yield from (outer for outer in folder.parents if outer.is_relative_to(point))


def _mounts(proc: Path) -> Iterator[tuple[str, list[str], str, Path]]:
    """Yield type, options, root and place of each mount, as proc(5) describes `mountinfo`."""
    for line in _lines(proc / "mountinfo"):
        before, separator, behind = line.partition(" - ")
        places, types = before.split(), behind.split()
        if separator and len(places) > 4 and len(types) > 2:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), places[4])
            yield types[0], types[2].split(","), places[3], Path(point)


def _words(file: Path) -> list[str]:
    return " ".join(_lines(file)).split()


def _lines(file: Path) -> list[str]:
    with contextlib.suppress(OSError):  # another system, or a group that does not limit this
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    return []
