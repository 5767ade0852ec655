"""The notebook of the documentation runs from its first cell to its last."""

import json
import os
import subprocess
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
# What a kernel does: the code cells, one after another, in one namespace.
RUN = """
import json, sys

notebook = json.load(open(sys.argv[1]))
names = {"__name__": "__main__"}
for number, cell in enumerate(notebook["cells"]):
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
assert len(names["plan"].cells) == len(names["cells"]) == 8
assert set(names["cells"]["state"]) == {"done"}
assert names["auc"]["value"].between(0, 1).all() and len(names["auc"]) == 8
assert len(names["figure"].axes[0].lines) == 3
assert sorted(names["comparison"]["adaptation"]) == ["knn", "linear"]
"""


def test_the_notebook_runs_in_order(tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert len(cells) < 15
    assert not any(cell.get("outputs") for cell in cells)  # none is committed
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    for name in ("results", "data"):
        environment[f"OMNIBENCH_{name.upper()}"] = str(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", RUN, NOTEBOOK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
