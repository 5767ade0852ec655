"""`compare` over segmentation records made by hand: definitions, refusals, units."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cli import main
from omnibench.record_files import read_predictions
from omnibench.scoring import score

FOREGROUND, MACRO = "per-image-foreground", "per-image-macro"


class Bench:
    """The command, and records for it to compare."""

    def __init__(
        self, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.results, self.monkeypatch, self.capsys = results, monkeypatch, capsys

    def add(
        self,
        backbone: str,
        shift: int,
        definitions: tuple[str, ...] = (FOREGROUND, MACRO, "dataset"),
        distances: bool = True,
    ) -> None:
        """Three repetitions of a linear probe on 30 images of 15 patients."""
        rng = np.random.default_rng(len(backbone))
        for k in range(3):
            tp = np.clip(rng.normal(60 + shift, 5, size=30), 1, 99).astype(np.int64)
            body = np.stack([tp, 100 - tp, 100 - tp, 9800 + tp], axis=1)
            arrays: dict[str, Any] = {
                "test_counts": np.stack([body[:, [3, 2, 1, 0]], body], axis=1),
                "test_case": np.arange(30),
                "test_group": np.arange(30) // 2,
            }
            if distances:
                arrays["test_hd95"] = np.abs(rng.normal(20 - shift, 2, size=(30, 1)))
            folder = self.results / "records" / "segmentation" / "d" / backbone / "linear"
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"rep-{k}-00000000.json"
            np.savez(path.with_suffix(".predictions.npz"), **arrays)
            metrics = score("segmentation", read_predictions(path))
            kept = {*definitions, "hd95-max-directed"}
            record = {
                **{"schema": 1, "digest": f"{backbone}{k}".ljust(64, "0"), "status": "done"},
                "spec": {
                    **{"task": "segmentation", "dataset": "d", "backbone": backbone, "seed": 0},
                    **{"adaptation": "linear", "options": {}, "recipe": {}, "decodings": []},
                    "repetition": k,
                },
                "metrics": {n: v for n, v in metrics.items() if n.partition("/")[0] in kept},
                **{"cost": {}, "environment": {}, "digests": {}, "error": None},
                **{"pairing": f"p{k}", "started": "2025", "finished": "2025"},
            }
            path.write_text(json.dumps(record))

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["omnibench", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = self.capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    def rows(self, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
        status, out, _ = self(*arguments, "--json")
        assert status == 0
        return {(row["definition"], row["metric"]): row for row in json.loads(out)["rows"]}


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    monkeypatch.setenv("OMNIBENCH_RESULTS", str(tmp_path))
    return Bench(tmp_path, monkeypatch, capsys)


def test_a_row_for_each_definition_and_one_of_them_by_name(bench: Bench) -> None:
    bench.add("a", 5)
    bench.add("bb", 0)
    rows = bench.rows("a", "bb", "--metric", "dice")
    assert set(rows) == {(d, "dice") for d in (FOREGROUND, MACRO, "dataset")}
    for definition in (FOREGROUND, MACRO):
        row = rows[definition, "dice"]
        assert row["test"] == "new images and runs"
        assert row["low"] < row["difference"] < row["high"]
        assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
    # Pooled counts are no mean over images: as it was asked for, it is computed again on parts.
    assert rows["dataset", "dice"]["p"] < 0.05
    assert rows[FOREGROUND, "dice"]["verdict"] == "better"
    assert {rows[d, "dice"]["verdict"] for d in (MACRO, "dataset")} == {"described"}
    item = bench.rows("a", "bb", "--metric", f"{MACRO}/dice")
    assert item == {(MACRO, "dice"): rows[MACRO, "dice"]}


def test_the_table_names_definitions_and_units(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.add("a", 5)
    bench.add("bb", 0)
    _, out, _ = bench("a", "bb", "--metric", "dice")
    for definition in (FOREGROUND, MACRO, "dataset"):
        assert f"  {definition}/dice  " in out
    assert "of 1 datasets" not in out
    _, out, _ = bench("a", "bb", "--metric", f"{FOREGROUND}/dice")
    assert f"{FOREGROUND}/dice" not in out
    monkeypatch.setattr(
        "omnibench.commands.comparing.units_by_metric",
        lambda values: {"hd95-max-directed/hd95": "pixels"},
    )
    _, out, _ = bench("a", "bb", "--metric", "hd95")
    (row,) = bench.rows("a", "bb", "--metric", "hd95").values()
    assert f"{row['mean_a']:.2f}  " in out
    assert "  pixels  " in out


def test_definitions_are_never_mixed(bench: Bench) -> None:
    bench.add("a", 5, definitions=(FOREGROUND,))
    bench.add("bb", 0, definitions=(MACRO,))
    for metric in ("dice", f"{FOREGROUND}/dice"):
        row = bench.rows("a", "bb", "--metric", metric)[FOREGROUND, "dice"]
        assert row["note"] == (
            f"bb has dice as {MACRO} only, not as {FOREGROUND}, and different definitions are "
            "never compared; `bench.py rescore SUITE` computes every definition from stored "
            "predictions"
        )
        numbers = ("mean_b", "difference", "low", "high", "p", "p_corrected", "effect")
        assert [row[name] for name in numbers] == [None] * 7
    assert len(bench.rows("a", "bb", "--metric", "dice")) == 2
    assert (FOREGROUND, "dice") in bench.rows("a", "bb")  # also where nothing is asked for
    assert "never compared" in bench("a", "bb")[1]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("dicee", "no record has 'dicee'; did you mean dice?"),
        (f"{MACRO}s/dice", f"did you mean {MACRO}/dice"),
        ("dataset/hd95", "no record has 'dataset/hd95'"),
    ],
)
def test_an_unknown_metric_is_one_sentence_and_exit_2(
    bench: Bench, metric: str, message: str
) -> None:
    bench.add("a", 5)
    bench.add("bb", 0)
    status, _, err = bench("a", "bb", "--metric", metric)
    assert status == 2
    assert message in err
    assert "Traceback" not in err
