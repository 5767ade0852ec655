"""What control groups leave of a machine, as their files say it: fake trees of v1 and v2."""

import os
from pathlib import Path

import pytest

from omnibench import device, memory
from omnibench.cgroups import cpu_quota, memory_limit

NO_LIMIT_V1 = 9223372036854771712  # of a kernel with pages of 4096 bytes


def process(tmp_path: Path, groups: str, mounts: dict[str, str]) -> Path:
    """Return a folder like /proc/self of a process in these groups.

    Args:
        groups: what `cgroup` holds.
        mounts: place below `tmp_path` -> "root type options".
    """
    lines = []
    for place, facts in mounts.items():
        root, kind, options = facts.split()
        point = str(tmp_path / place).replace(" ", "\\040")
        lines.append(f"30 23 0:26 {root} {point} rw,nosuid shared:4 - {kind} {kind} {options}")
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(groups)
    (proc / "mountinfo").write_text("\n".join(["22 1 8:1 / / rw - ext4 /dev/sda rw", *lines]))
    return proc


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (["max 100000"], None),
        (["150000 100000"], 1.5),
        (["50000 100000"], 0.5),
        (["400000 100000", "max 100000", "200000 100000"], 2.0),
        (["20000 10000", "400000 100000"], 2.0),
        (["no number"], None),
        ([""], None),
    ],
)
def test_the_least_quota_of_nested_groups_of_v2_holds(
    tmp_path: Path, limits: list[str], expected: float | None
) -> None:
    names = ["job", "step", "task"][: len(limits)]
    path = "/".join(names)
    proc = process(tmp_path, f"0::/{path}\n", {"a b": "/ cgroup2 rw"})
    for depth, limit in enumerate(limits, 1):
        write(tmp_path / "a b" / "/".join(names[:depth]), cpu__max=limit)
    assert cpu_quota(proc) == expected


def test_quota_and_memory_of_v1_are_read_from_the_groups_of_their_controllers(
    tmp_path: Path,
) -> None:
    groups = "5:memory:/slurm/job\n4:cpu,cpuacct:/slurm/job/step\n1:name=systemd:/\n0::/\n"
    mounts = {"cpu": "/ cgroup rw,cpu,cpuacct", "mem": "/ cgroup rw,memory"}
    proc = process(tmp_path, groups, mounts)
    write(tmp_path / "cpu/slurm/job/step", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000)
    write(tmp_path / "cpu/slurm/job", cpu__cfs_quota_us=300000, cpu__cfs_period_us=100000)
    write(tmp_path / "mem/slurm/job", memory__limit_in_bytes=NO_LIMIT_V1)
    write(tmp_path / "mem/slurm", memory__limit_in_bytes=8 * 2**30)
    assert cpu_quota(proc) == 3.0
    assert memory_limit(proc) == 8 * 2**30


def test_a_containers_path_is_looked_for_where_its_group_is_mounted(tmp_path: Path) -> None:
    groups = "4:cpu:/docker/abc\n0::/docker/abc\n"
    mounts = {"cpu": "/docker/abc cgroup rw,cpu", "unified": "/elsewhere cgroup2 rw"}
    proc = process(tmp_path, groups, mounts)
    write(tmp_path / "cpu", cpu__cfs_quota_us=100000, cpu__cfs_period_us=50000)
    write(tmp_path / "unified", memory__max=2**30)
    assert cpu_quota(proc) == 2.0
    assert memory_limit(proc) == 2**30


def test_without_limits_or_groups_nothing_is_limited(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "absent") is None
    assert memory_limit(tmp_path / "absent") is None
    proc = process(tmp_path, "0::/\nnot a line\n", {"cg": "/ cgroup2 rw"})
    write(tmp_path / "cg", memory__max="max")
    assert memory_limit(proc) is None


@pytest.mark.parametrize(
    ("bound", "quota", "cores"), [(8, None, 8), (8, 2.5, 2), (8, 0.5, 1), (2, 6.0, 2), (8, 8.0, 8)]
)
def test_cores_are_those_a_process_is_bound_to_within_its_quota(
    monkeypatch: pytest.MonkeyPatch, bound: int, quota: float | None, cores: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(bound)), raising=False)
    monkeypatch.setattr(device, "cpu_quota", lambda: quota)
    assert device.usable_cores() == device.default_threads() == cores


@pytest.mark.parametrize(
    ("value", "threads"), [("3", 3), ("4,2", 4), (" 5 ", 5), ("", 7), ("0", 7), ("many", 7)]
)
def test_threads_are_those_that_openmp_is_given(
    monkeypatch: pytest.MonkeyPatch, value: str, threads: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(device, "usable_cores", lambda: 7)
    assert device.default_threads() == threads


def test_openmp_waits_asleep_unless_the_environment_says_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        if value is not None:
            monkeypatch.setenv("OMP_WAIT_POLICY", value)
        device.wait_asleep()
        assert os.environ["OMP_WAIT_POLICY"] == expected


def test_memory_is_the_machines_within_the_groups_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: None)
    machine = memory.memory_bytes()
    for limit, expected in ((2**20, 2**20), (2**60, machine)):
        monkeypatch.setattr(memory, "memory_limit", lambda limit=limit: limit)
        assert memory.memory_bytes() == expected
