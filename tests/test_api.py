"""The Python API: tables of what the commands compute, and nothing of the process left changed."""

import ast
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import omnibench
from omnibench.errors import RequestError
from omnibench.tidy import COLUMNS
from tests import public_names
from tests.conftest import Bench

ROOT = Path(omnibench.__file__).parents[1]
SUITE: Any = {
    "name": "small",
    "repetitions": 2,
    "backbones": [
        {"id": "v", "source": "random:test_vit", "pool": "cls"},
        {"id": "w", "source": "random:test_vit2"},
    ],
    "matrix": [
        {
            "task": "classification",
            "datasets": ["npz:two.npz"],
            "adaptations": ["linear", "knn"],
            "recipe": {"input_size": 64, "precision": "fp32", "epochs": 3},
        }
    ],
}
# As a user's script is, without `if __name__ == "__main__"`.
SCRIPT = """
import json, sys
import omnibench

suite = json.loads(sys.argv[1])
cells = omnibench.run(suite, results="results", data="data", adaptations=["linear", "knn"])
print(cells.to_json(orient="records"))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, in which the suite is run by a script."""
    folder = tmp_path_factory.mktemp("api")
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        labels = np.arange(24) % 2
        images = rng.integers(0, 120, (24, 16, 16)) + 40 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels[:, None]
    np.savez(folder / "two.npz", **arrays)
    (folder / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(SUITE)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)  # progress is on standard error
    assert [cell["state"] for cell in cells] == ["done"] * 6
    assert "[4/4]" in done.stderr
    return folder


@pytest.fixture
def places(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(folder)
    return {"results": folder / "results", "data": folder / "data"}


def test_plan_counts_cells_and_their_cost(places: Any) -> None:
    plan = omnibench.plan(SUITE, **places)
    assert list(plan.cells["state"]) == ["done"] * 6
    assert (plan.hours, plan.needs) == (0, ())
    fewer = omnibench.plan(SUITE, backbones="w", repetitions=[1], **places).cells
    assert list(fewer[["adaptation", "repetition"]].itertuples(index=False, name=None)) == [
        ("linear", 1)
    ]
    absent = omnibench.plan({**SUITE, "seed": 1}, **places)
    assert set(absent.cells["state"]) == {"missing"}
    assert absent.hours > 0


def test_results_have_a_row_for_each_cell_and_metric(places: Any) -> None:
    frame = omnibench.results(SUITE, **places)
    assert tuple(frame.columns) == COLUMNS
    assert len(frame[["digest"]].drop_duplicates()) == 6
    assert not frame.duplicated(["digest", "definition", "metric", "view"]).any()
    record = json.loads(next(places["results"].rglob("w/linear/rep-1-*.json")).read_text())
    own = frame[frame["digest"] == record["digest"]]
    assert {
        f"{row.definition}/{row.metric}": row.value for row in own.itertuples()
    } == pytest.approx(record["metrics"], nan_ok=True)
    accuracy = own[own["metric"] == "brier"].iloc[0]
    assert (accuracy["direction"], accuracy["status"], accuracy["error"]) == ("down", "done", "")
    of_folder = omnibench.results(places["results"])
    assert sorted(of_folder["value"].dropna()) == sorted(frame["value"].dropna())


def test_compare_gives_the_rows_of_the_command(places: Any, bench: Bench) -> None:
    frame = omnibench.compare("w", "v", metric="auc", margin=5, **places)
    arguments = ("--metric", "auc", "--results", places["results"], "--json")
    rows = json.loads(bench("compare", "w", "v", *arguments)[1])["rows"]
    assert list(frame["difference"]) == [row["difference"] for row in rows]
    assert set(frame["equivalent"]) <= {True, False, None}


def test_run_leaves_nothing_of_the_process_changed(
    places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def state() -> tuple[object, ...]:
        log, main = logging.getLogger("omnibench"), sys.modules["__main__"]
        return (
            *(list(log.handlers), log.level, log.propagate, list(logging.root.handlers)),
            *(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)),
            *(dict(os.environ), vars(main).get("__file__"), vars(main).get("__spec__")),
            *(torch.get_num_threads(), torch.get_default_dtype(), torch.get_rng_state().sum()),
        )

    before = state()
    cells = omnibench.run(SUITE, adaptations="knn", backbones="v", force=True, **places)
    assert list(cells["state"]) == ["done"]
    assert state() == before
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "[1/1] classification/npz-two/v/knn: 1 done" in captured.err


def test_load_encoder_gives_embeddings_tokens_and_maps(places: Any) -> None:
    encoder = omnibench.load_encoder(
        "random-vit-tiny", input_size=64, precision="fp32", device="cpu", **places
    )
    images = torch.zeros(2, 20, 20, dtype=torch.uint8)
    assert encoder.embed(images).shape == (2, 192)
    prefix, patches = encoder.tokens(images)
    assert (prefix.shape, patches.shape) == ((2, 1, 192), (2, 4, 4, 192))
    assert [level.shape for level in encoder.maps(images, [2, 11])] == [(2, 192, 4, 4)] * 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: omnibench.plan("demmo"), "did you mean demo"),
        (lambda: omnibench.plan({**SUITE, "repetitons": 2}), "the suite: repetitons"),
        (lambda: omnibench.plan(SUITE, tasks="segmentation"), "has nothing like 'segmentation'"),
        (lambda: omnibench.run(SUITE, engine="locl"), "did you mean local"),
        (lambda: omnibench.results("."), "holds no folder `records`"),
        (lambda: omnibench.results("absent"), "unknown suite 'absent'"),
        (lambda: omnibench.compare("v", "x", results="results"), "backbone 'x'"),
        (lambda: omnibench.load_encoder("random-vit-tinny"), "did you mean random-vit-tiny"),
    ],
)
def test_a_mistake_is_an_error_of_omnibench(
    places: dict[str, Path], call: Callable[..., Any], message: str
) -> None:
    with pytest.raises(RequestError) as raised:
        call()
    assert message in str(raised.value)


def test_a_failed_cell_is_a_row(places: Any, folder: Path) -> None:
    (folder / "bad.pth").write_bytes(b"no weights")
    bad = {"id": "bad", "source": "file:bad.pth", "architecture": "test_vit"}
    entry = {**SUITE["matrix"][0], "adaptations": ["knn"]}
    suite = {**SUITE, "backbones": [*SUITE["backbones"], bad], "matrix": [entry]}
    cells = omnibench.run(suite, **places).set_index("backbone")
    assert list(cells["state"]) == ["done", "done", "failed"]
    error = cells.loc["bad", "error"]
    assert isinstance(error, str)
    assert "bad.pth cannot be read as weights" in error
    row = omnibench.results(suite, **places).set_index("backbone").loc["bad"]
    assert (row["status"], row["metric"]) == ("failed", "")
    assert np.isnan(row["value"])
    assert "bad.pth" in row["error"]


def test_each_name_is_there_and_typed() -> None:
    assert set(dir(omnibench)) >= set(omnibench.__all__) == {*omnibench._MODULES, "errors"}
    for name in omnibench.__all__:
        assert getattr(omnibench, name) is not None
    [imports] = ast.parse(Path(public_names.__file__).read_text()).body[1:2]
    assert isinstance(imports, ast.ImportFrom)
    assert {alias.name for alias in imports.names} == set(omnibench.__all__)


def test_importing_omnibench_imports_nothing_that_costs() -> None:
    code = "import sys, omnibench; print({'torch', 'pandas', 'numpy', 'pydantic'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
