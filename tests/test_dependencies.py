"""What pyproject.toml asks for is what the package imports, no more and no less."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from omnibench.imports import imports_of

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("omnibench", "tasks", "backbones")
# timm imports it; named here for the version that fits torch.
FOR_OTHERS = {"torchvision"}
# Parts of what is named: jinja2, nilearn and umap-learn bring them.
PARTS = {"markupsafe", "nibabel", "numba"}
OWN = {"omnibench", "benchmarks"}  # `speed` runs the benchmarks of a checkout


def distributions(requirements: Iterable[str]) -> set[str]:
    names = (re.split(r"[>=<!~\[; ]", line)[0] for line in requirements)
    return {canonical(name) for name in names}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """Return the top-level modules that the package's files import from elsewhere."""
    names: set[str] = set()
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            statements = imports_of(path.read_bytes())
            names |= {i.module.partition(".")[0] for i in statements if not i.level}
    return names - OWN - PARTS - set(sys.stdlib_module_names)


def test_every_import_is_a_dependency_and_every_dependency_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = distributions(project["dependencies"])
    extras = project["optional-dependencies"]
    offered = core.union(*(distributions(extras[name]) for name in extras if name != "dev"))
    of_module = importlib.metadata.packages_distributions()
    homes = {name: {canonical(home) for home in of_module.get(name, ())} for name in imported()}
    unnamed = {name for name, home in homes.items() if home and not home & offered}
    assert not unnamed
    assert core - FOR_OTHERS <= set().union(*homes.values())
