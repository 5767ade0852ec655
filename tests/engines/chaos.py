"""Break runs at random until they have ended all the same: `python -m tests.engines.chaos`.

Several runners share one folder; every other one is on another machine, as far as it can tell, and
some have a clock that is a day off. Every second or so one of `chaos_faults` happens. After the
last restart every record must be there once and equal to a fault-free run's. Needs root, for a
small file system in memory and for process numbers of their own.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tests.engines.chaos_faults import FAULTS, SLOW, Target

REPOSITORY = Path(__file__).parents[2]
MEGABYTES = 160  # of the file system that results and features lie on
REPETITIONS = 10
LAST_SECONDS = 900.0  # for what is left when the faults end; longer is a hang
ELSEWHERE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
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


def write_suite(folder: Path, backbones: int) -> Path:
    """Write a suite of 30 cells a backbone, and its data."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        arrays: dict[str, Any] = {}
        for split, count in (("train", 600), ("val", 90), ("test", 120)):
            arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
            arrays[f"{split}_labels"] = np.arange(count)[:, None] % 3
        np.savez(folder / f"{name}.npz", **arrays)
    cards = ", ".join(f"{{id: v{k}, source: 'random:test_vit'}}" for k in range(backbones))
    path = folder / "chaos.yaml"
    path.write_text(SUITE.format(repetitions=REPETITIONS, backbones=cards))
    return path


def start(
    suite: Path, place: Path, number: int = 0, clock_off: int = 0
) -> "subprocess.Popen[bytes]":
    """Start a runner; every restart is the same command.

    Args:
        number: of the runner; odd ones are elsewhere.
        clock_off: seconds by which its clock is.
    """
    return subprocess.Popen(
        [
            *(ELSEWHERE if number % 2 else ()),
            *(sys.executable, str(Path(__file__).with_name("chaos_runner.py"))),
            *("run", str(suite), "--jobs", "2", "--retry-failed"),
            *("--results", str(place / "results"), "--data", str(place / "data")),
        ],
        stdout=(place.parent / f"{place.name}-{number}.log").open("a"),
        stderr=subprocess.STDOUT,
        cwd=REPOSITORY,
        env={**os.environ, "CHAOS_CLOCK_OFF": str(clock_off)},
        start_new_session=True,
    )


def contents(place: Path) -> dict[str, dict[str, object]]:
    """Return what must be equal of every record, by its digest; a digest twice is an error."""
    records: dict[str, dict[str, object]] = {}
    for path in sorted((place / "results" / "records").rglob("rep-*.json")):
        record = json.loads(path.read_text())
        assert record["digest"] not in records, f"{record['digest']} is there twice"
        with np.load(path.with_suffix(".predictions.npz"), allow_pickle=False) as arrays:
            predictions = {name: arrays[name].tobytes() for name in arrays.files}
        records[record["digest"]] = {
            **{key: record[key] for key in ("spec", "status", "metrics", "pairing")},
            "predictions": predictions,
        }
    return records


def torment(
    suite: Path, place: Path, rng: random.Random, seconds: float, runners: int, names: list[str]
) -> Counter[str]:
    """Inject faults, restart each runner that has ended, and let the last ones end in peace.

    Raises:
        subprocess.TimeoutExpired: one hangs.
    """
    counts: Counter[str] = Counter()
    running: dict[int, subprocess.Popen[bytes]] = {}
    faults = [fault for fault in FAULTS if not names or fault.__name__ in names]
    slow, until = threading.Thread(), time.monotonic() + seconds
    while time.monotonic() < until:
        for number in range(runners):
            if number not in running or running[number].poll() is not None:
                if number in running:
                    counts[f"restarts after exit {running[number].returncode}"] += 1
                off = rng.choice([-86_400, 0, 0, 86_400])
                running[number] = start(suite, place, number, off)
        time.sleep(rng.uniform(0.1, 1.0))
        fault = rng.choice(faults)
        target = Target(place, rng.choice(list(running.values())), rng)
        if fault not in SLOW:
            counts[fault.__name__] += fault(target)
        elif not slow.is_alive():
            counts[fault.__name__] += 1
            slow = threading.Thread(target=fault, args=(target,))
            slow.start()
    slow.join()
    counts["records when the faults ended"] = len(list(place.rglob("rep-*.json")))
    for runner in running.values():
        runner.wait(LAST_SECONDS)
    while start(suite, place).wait(LAST_SECONDS):
        counts["restarts in peace"] += 1
        assert counts["restarts in peace"] < 4, "it does not end"
    return counts


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Run once in peace and once among faults, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to inject faults")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runners", type=int, default=4)
    parser.add_argument("--backbones", type=int, default=10, help="of 30 cells each")
    parser.add_argument("--faults", nargs="*", default=[], help="names; none for all")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = write_suite(folder, given.backbones)
        began = time.monotonic()
        assert start(suite, folder / "peace").wait() == 0
        expected = contents(folder / "peace")
        say(f"in peace: {len(expected)} records in {time.monotonic() - began:.0f} s")
        place = folder / "chaos"
        place.mkdir()
        memory = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
        subprocess.run(memory, check=True)
        try:
            counts = torment(suite, place, rng, given.seconds, given.runners, given.faults)
            say(f"among faults: {dict(counts)}")
            records = contents(place)
            assert records.keys() == expected.keys(), "records are missing or too many"
            differing = [digest for digest in expected if records[digest] != expected[digest]]
            assert not differing, f"{len(differing)} records differ: {differing[:3]}"
            left = [p.name for p in place.rglob("*") if p.suffix in (".tmp", ".lease", ".pt")]
            say(f"{len(records)} of {len(expected)} records are there once and equal; left: {left}")
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
            logs = {path.name: path.read_text() for path in folder.glob("chaos-*.log")}
            for word in ("Traceback", "damaged", "not recorded", "waiting for", "disk is full"):
                say(f"'{word}' in logs: { ({n: text.count(word) for n, text in logs.items()}) }")
        assert not any("Traceback" in text for text in logs.values()), logs


if __name__ == "__main__":
    main()
