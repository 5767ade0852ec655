"""Break a run at random until it has ended all the same: `python tests/engines/chaos.py`.

Every few seconds a worker or the runner is killed, a record cut short, a lease deleted, the disk
filled or a bit of a feature shard flipped. After the last restart every record must be there once
and equal to a fault-free run's. Needs root, for a small file system in memory.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[2]
MEGABYTES = 96  # of the file system that results and features lie on
BACKBONES, REPETITIONS = 10, 10
SUITE = """
name: chaos
repetitions: {repetitions}
backbones: [{backbones}]
matrix:
  - task: classification
    datasets: ['npz:one.npz', 'npz:two.npz']
    adaptations: [linear]
    recipe: {{input_size: 32, precision: fp32, epochs: 30}}
  - task: classification
    datasets: ['npz:one.npz']
    adaptations: [head]
    recipe: {{input_size: 32, precision: fp32, epochs: 3}}
report: {{baseline: v0}}
"""


def write_suite(folder: Path) -> Path:
    """Write a suite of 300 cells and its data."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        arrays = {}
        for split, count in (("train", 600), ("val", 90), ("test", 120)):
            arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
            arrays[f"{split}_labels"] = np.arange(count)[:, None] % 3
        np.savez(folder / f"{name}.npz", **arrays)
    cards = ", ".join(f"{{id: v{k}, source: 'random:test_vit'}}" for k in range(BACKBONES))
    path = folder / "chaos.yaml"
    path.write_text(SUITE.format(repetitions=REPETITIONS, backbones=cards))
    return path


def command(suite: Path, place: Path) -> list[str]:
    """Return the run's command; every restart is the same one."""
    return [
        *(sys.executable, "-m", "omnibench", "run", str(suite), "--jobs", "2", "--retry-failed"),
        *("--results", str(place / "results"), "--data", str(place / "data")),
    ]


def records(place: Path) -> list[Path]:
    """Return the paths of all records."""
    return sorted((place / "results" / "records").rglob("rep-*.json"))


def children(pid: int) -> list[int]:
    """Return a process's workers."""
    found = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True, check=False
    )
    return [int(number) for number in found.stdout.split()]


def kill_worker(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Kill one of the runner's workers."""
    workers = children(runner.pid)
    if workers:
        os.kill(rng.choice(workers), signal.SIGKILL)
    return bool(workers)


def kill_runner(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Kill the runner itself."""
    runner.kill()
    return True


def cut_record(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Cut a record in half, as a crash of the file system might."""
    found = records(place)
    if found:
        path = rng.choice(found)
        os.truncate(path, path.stat().st_size // 2)
    return bool(found)


def delete_lease(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Delete a lease that is held."""
    found = list((place / "results" / "leases").glob("*.lease"))
    if found:
        rng.choice(found).unlink(missing_ok=True)
    return bool(found)


def fill_disk(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Leave no room on the file system for two seconds."""
    filler = place / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(2**20))
    except OSError:
        pass
    time.sleep(2)
    filler.unlink()
    return True


def flip_bit(place: Path, runner: "subprocess.Popen[str]", rng: random.Random) -> bool:
    """Flip a bit of a feature shard."""
    shards = [
        path
        for path in (place / "data" / "features").rglob("*")
        if path.is_file() and path.suffix not in (".json", ".lock", ".tmp")
    ]
    if shards:
        path = rng.choice(shards)
        with path.open("r+b") as file:
            at = rng.randrange(max(path.stat().st_size, 1))
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1 << rng.randrange(8)]) if byte else b"")
    return bool(shards)


FAULTS = (kill_worker, kill_runner, cut_record, delete_lease, fill_disk, flip_bit)


def contents(place: Path) -> dict[str, dict[str, object]]:
    """Return what must be equal of every record, by its digest; a digest twice is an error."""
    found: dict[str, dict[str, object]] = {}
    for path in records(place):
        record = json.loads(path.read_text())
        assert record["digest"] not in found, f"{record['digest']} is there twice"
        with np.load(path.with_suffix(".predictions.npz"), allow_pickle=False) as arrays:
            predictions = {name: arrays[name].tobytes() for name in arrays.files}
        found[record["digest"]] = {
            **{key: record[key] for key in ("spec", "status", "metrics", "pairing")},
            "predictions": predictions,
        }
    return found


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run once in peace and once among faults, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="how long to inject faults")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = write_suite(folder)
        began = time.monotonic()
        subprocess.run(command(suite, folder / "peace"), check=True, cwd=REPOSITORY)
        expected = contents(folder / "peace")
        say(f"in peace: {len(expected)} records in {time.monotonic() - began:.0f} s")
        place = folder / "chaos"
        place.mkdir()
        memory = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
        subprocess.run(memory, check=True)
        try:
            done = torment(suite, place, rng, asked.seconds)
            say(f"among faults: {dict(done)}")
            found = contents(place)
            assert found.keys() == expected.keys(), "records are missing or too many"
            differing = [digest for digest in expected if found[digest] != expected[digest]]
            assert not differing, f"{len(differing)} records differ: {differing[:3]}"
            left = [p for p in (place / "results").rglob("*") if p.suffix in (".tmp", ".lease")]
            say(f"{len(found)} of {len(expected)} records are there once and equal; left: {left}")
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)


def torment(suite: Path, place: Path, rng: random.Random, seconds: float) -> Counter[str]:
    """Inject faults while it runs, restart it whenever it has ended, and let it end in peace."""
    done: Counter[str] = Counter()
    log = (place.parent / "log").open("w")
    until = time.monotonic() + seconds
    runner = subprocess.Popen(command(suite, place), stdout=log, stderr=log, cwd=REPOSITORY)
    while time.monotonic() < until:
        time.sleep(rng.uniform(2, 5))
        if runner.poll() is not None:
            done[f"restart after exit {runner.returncode}"] += 1
            runner = subprocess.Popen(command(suite, place), stdout=log, stderr=log, cwd=REPOSITORY)
            continue
        fault = rng.choice(FAULTS)
        done[fault.__name__] += fault(place, runner, rng)
    done["records when the faults ended"] = len(records(place))
    runner.wait()
    for attempt in range(1, 4):
        if subprocess.run(command(suite, place), check=False, cwd=REPOSITORY).returncode == 0:
            done["restarts in peace"] = attempt
            break
    return done


if __name__ == "__main__":
    main()
