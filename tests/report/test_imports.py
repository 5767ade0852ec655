import subprocess
import sys

SCRIPT = """
import sys
import omnibench.stats.compare, omnibench.stats.across
import omnibench.commands.reporting, omnibench.commands.comparing
heavy = {"torch", "scipy", "statsmodels", "sklearn", "omnibench.engines"} & set(sys.modules)
tasks = {name for name in sys.modules if name.startswith("omnibench.tasks")}
sys.exit(f"imported {heavy | tasks}" if heavy | tasks else 0)
"""


def test_neither_torch_nor_a_task_nor_a_heavy_library_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
