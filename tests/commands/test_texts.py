"""`report` and `compare` over records of generated texts, made by hand, of a task made here."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.cli import main
from omnibench.scoring import VALUES
from omnibench.session import Session
from omnibench.store import RecordStore
from omnibench.suite import ReportSection
from omnibench.task import Adaptation, Metric, Task, metrics_of_pass
from tests.conftest import Bench

DECODINGS = ("b1-t64", "b4-t64", "b5-t64", "b5-t128")
SHOWN = ("rouge", "meteor")
NOISE = np.random.default_rng(0).normal(size=(40, 6)) / 20  # of each text, by record
NOISE -= NOISE.mean(axis=0)


class TextsTask(Task):
    """Two metrics, of which one is printed, and a length in tokens that is."""

    name = "texts"
    metrics = (
        *metrics_of_pass("cap", ("rouge", "meteor"), lambda predictions: {}, reported=SHOWN),
        Metric("long/length", lambda predictions: None, unit="tokens"),
    )
    own = {  # noqa: RUF012
        "small": Adaptation("small", "all", "training seed", {}, decodings=DECODINGS)
    }


def unit(backbone: str) -> Unit:
    return Unit(
        task="texts",
        dataset=DatasetCard(id="roco", reader="a:b", tasks=("texts",)),
        backbone=BackboneCard(id=backbone, source="random:x"),
        adaptation="small",
        short="small",
        options={},
        recipe={},
        suite_seed=0,
        sources={"dataset": "x", "backbone": backbone},
        repetitions=(0, 1, 2),
        decodings=DECODINGS,
    )


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Give a command; the records of `base` and the better `good` are there."""
    monkeypatch.setitem(tasks._entries, "texts", TextsTask())
    monkeypatch.setenv("OMNIBENCH_RESULTS", str(tmp_path))
    units = [unit("base"), unit("good")]
    suite = SimpleNamespace(
        **{"name": "s", "datasets": {}, "backbones": [item.backbone for item in units]},
        report=ReportSection(baseline="base"),
        **{"looks": {}, "monitored": {}},
    )
    monkeypatch.setattr(Session, "suite", lambda self, name: (suite, units))
    for shift, item in enumerate(units):
        for cell in item.cells:
            value = 0.1 + 0.2 * shift + cell.repetition**2 / 100
            metrics = {}
            for i, decoding in enumerate(DECODINGS):
                metrics[f"cap@{decoding}/meteor"] = None if shift and i == 1 else value
                metrics[f"cap@{decoding}/rouge"] = value + i / 100 + shift * cell.repetition / 100
                metrics[f"cap@{decoding}/secret"] = value
                metrics[f"long@{decoding}/length"] = 10 + value + shift * cell.repetition / 100
            record = {
                **{
                    "schema": 1,
                    "digest": cell.digest,
                    "status": "done",
                    "spec": item.spec(cell.repetition),
                },
                **{"metrics": metrics, "cost": {}, "environment": {}, "digests": {}},
                **{"pairing": f"p{cell.repetition}", "error": None},
                **{"started": "2025", "finished": "2025"},
            }
            stored: dict[str, Any] = {"test_case": np.arange(len(NOISE))}
            stored["test_text@b1-t64"] = np.array(["a"] * len(NOISE), object)
            for key, mean in metrics.items():
                if mean is not None:
                    stored[f"{VALUES}{key}"] = mean + NOISE[:, shift + 2 * cell.repetition]
            RecordStore(tmp_path).write(cell, record, stored)

    def bench(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["omnibench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return bench


def test_report_prints_the_reported_metrics_of_every_decoding(bench: Bench, tmp_path: Path) -> None:
    status, answer, _ = bench("report", "s")
    assert status == 0
    assert "good leads, rouge 35.67 ± 3.06" in answer
    out = (tmp_path / "reports/s/s.md").read_text().replace("\\", "")
    assert (
        "| backbone | adaptation | beams | max tokens | rouge | meteor | length (tokens) |" in out
    )
    assert "| good | small | 5 | 128 | **35.67** ± 3.06† | **31.67** ± 2.08 | **10.33**" in out
    assert "| good | small | 4 | 64 | **33.67** ± 3.06 | \N{EN DASH} | **10.33**" in out
    assert "| good | small | 1 | 64 | " in out
    assert out.count("cap@") == 2  # in its sentence, and where the caption says what a dagger is of
    assert "- roco, cap@b5-t128/rouge, small: good - base = +21.00 points [" in out
    assert "- roco, long@b5-t128/length, small: good - base = +0.21 tokens" in out
    assert "secret" not in out
    folder = tmp_path / "reports" / "s"
    assert "secret" not in (folder / "s.tex").read_text()
    rows = list(csv.DictReader((folder / "s.csv").open()))
    assert len(rows) == 2 * len(DECODINGS) * 4
    assert {row["metric"] for row in rows} == {"meteor", "rouge", "secret", "length"}
    assert {(row["beams"], row["max_tokens"]) for row in rows} == {
        ("1", "64"), ("4", "64"), ("5", "64"), ("5", "128")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "decodings"),
    [
        ("rouge", DECODINGS),
        ("cap/rouge", DECODINGS),
        ("cap@b5-t64/rouge", ("b5-t64",)),
    ],
)
def test_compare_takes_all_decodings_or_one(
    bench: Bench, metric: str, decodings: tuple[Any, ...]
) -> None:
    status, out, _ = bench("compare", "good", "base", "--metric", metric, "--json")
    assert status == 0
    rows = json.loads(out)["rows"]
    assert [row["definition"] for row in rows] == [f"cap@{decoding}" for decoding in decodings]
    assert {row["test"] for row in rows} == {"new images and runs"}
    for row in rows:  # the last decoding decides
        primary = row["definition"] == "cap@b5-t128"
        assert row["p_corrected"] == (row["p"] if primary else None)
        assert row["verdict"] == ("better" if primary else "described")


def test_compare_shows_what_the_task_reports_with_its_unit(bench: Bench) -> None:
    status, out, _ = bench("compare", "good", "base")
    assert status == 0
    assert "cap@b4-t64/rouge" in out
    assert "secret" not in out
    rows = [line.split() for line in out.splitlines() if line.startswith("texts ")]
    (length,) = [row for row in rows if row[3] == "long@b5-t64/length"]
    assert (length[7], length[10], length[13]) == ("0.21", "tokens", "described")
    assert [row[3] for row in rows if "better" in row] == ["cap@b5-t128/rouge"]
    assert "not tested: roco, small, cap@b4-t64/meteor: meteor of good is undefined" in out


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("cap@b9-t64/rouge", "no record has 'cap@b9-t64/rouge'; did you mean cap@b"),
        ("caps/rouge", "did you mean cap/rouge"),
    ],
)
def test_an_unknown_decoding_or_definition_is_one_sentence(
    bench: Bench, metric: str, message: str
) -> None:
    status, _, err = bench("compare", "good", "base", "--metric", metric)
    assert status == 2
    assert message in err
