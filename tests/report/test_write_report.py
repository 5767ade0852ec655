import csv
import io
import os
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.report.delimited import to_csv
from omnibench.report.result_tables import COLUMNS, long_table
from omnibench.report.write import write_tables
from tests.report.by_hand import Study


def test_csv_holds_every_cell_in_full_precision(demo: Study) -> None:
    demo.add('comma, "quote"\n', [1 / 3, float("nan")]).ask('comma, "quote"\n', ["done"] * 2)
    rows = list(
        csv.DictReader(io.StringIO(to_csv(long_table(demo.results(baseline="random-vit")))))
    )
    assert list(rows[0]) == list(COLUMNS)
    by_name = {(r["backbone"], r["dataset"], r["adaptation"]): r for r in rows}
    assert len(by_name) == len(rows) == 7
    good = by_name["good", "d", "linear"]
    assert float(good["mean"]) == (0.9 + 0.91 + 0.95) / 3
    assert (good["n"], good["rank"], good["baseline"]) == ("3", "1", "random-vit")
    assert (good["p"], good["p_corrected"], good["family"]) == ("0.001", "0.002", "2")
    assert (good["test"], good["verdict"]) == ("new images and runs", "better")
    assert [len(digest) for digest in good["digests"].split()] == [64] * 3
    failed = by_name["good", "e", "linear"]
    assert (failed["state"], failed["mean"], failed["expected"]) == ("failed", "", "3")
    odd = by_name['comma, "quote"\n', "d", "linear"]
    assert (odd["state"], odd["mean"], odd["std"]) == ("undefined", "", "")
    assert by_name["random-vit", "d", "linear"]["control"] == "True"


def test_writes_three_files_and_leaves_nothing_else(demo: Study, tmp_path: Path) -> None:
    out = tmp_path / "reports" / "demo"
    study = demo.reported(demo.results(baseline="random-vit"))
    paths = write_tables(study, out)
    assert [path.name for path in paths] == ["demo.tex", "demo.csv", "demo.md"]
    assert sorted(path.name for path in out.iterdir()) == ["demo.csv", "demo.md", "demo.tex"]
    assert all(path.read_text(encoding="utf-8").strip() for path in paths)
    again = [path.read_bytes() for path in paths]
    write_tables(study, out)
    assert [path.read_bytes() for path in paths] == again


def test_the_csv_may_hold_more_than_is_printed(demo: Study, tmp_path: Path) -> None:
    demo.add("good", [0.1, 0.2], metric="ece")
    auc, ece = demo.results()
    tex, table, md = write_tables(demo.reported([auc], [auc, ece]), tmp_path)
    assert "ece" in table.read_text()
    assert "ece" not in tex.read_text() + md.read_text()


def test_a_failed_write_keeps_what_was_there(
    demo: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path, *_) = write_tables(demo.reported(demo.results()), tmp_path)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"demo\.tex could not be written"):
        write_tables(demo.reported([]), tmp_path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3
