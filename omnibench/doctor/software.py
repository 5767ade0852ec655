"""Python and packages, as omnibench requires and its checkout pins them; and LaTeX."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from omnibench.findings import Finding

OLDEST_PYTHON = (3, 11)
INSTALL = "make setup"
COMPILERS = ("latexmk", "pdflatex", "lualatex", "xelatex", "tectonic")


def software() -> Iterator[Finding]:
    """Yield Python, the packages that are wrong, and one line for all that are right."""
    wanted = ".".join(map(str, OLDEST_PYTHON))
    good = sys.version_info[:2] >= OLDEST_PYTHON
    fix = "" if good else f"make setup PYTHON=python{wanted}"
    yield Finding("python", "PASS" if good else "FAIL", platform.python_version(), fix)
    required = list(requirements())
    wrong = [finding for name, oldest in required for finding in _against(name, oldest)]
    yield from wrong
    if not wrong:
        yield Finding("packages", "PASS", f"all {len(required)} are there, none too old")
    yield from _pinned(pins(Path(__file__).resolve().parents[2] / "requirements.txt"))


def extras() -> Iterator[Finding]:
    """Yield whether what each optional feature needs is there."""
    named = importlib.metadata.metadata("omnibench").get_all("Provides-Extra") or []
    for extra in sorted(set(named) - {"dev"}):
        absent = [name for name, _ in requirements(extra) if installed(name) is None]
        yield Finding(
            f"extra {extra}",
            "WARN" if absent else "PASS",
            f"not installed: {', '.join(absent)}" if absent else "installed",
            f"only if you want it: pip install 'omnibench[{extra}]'" if absent else "",
        )


def latex() -> Finding:
    """Look for what compiles report.tex."""
    compilers = [name for name in COMPILERS if shutil.which(name)]
    if compilers:
        return Finding("LaTeX", "PASS", f"{compilers[0]} compiles report.tex")
    return Finding(
        "LaTeX",
        "WARN",
        "absent, so report.tex cannot be compiled here; report.html needs none",
        "install TeX Live (Debian: texlive-latex-recommended), or take report.tex elsewhere",
    )


def requirements(extra: str = "") -> Iterator[tuple[str, str]]:
    """Yield (package, oldest version) as omnibench's metadata give them; "" for any version."""
    for line in importlib.metadata.requires("omnibench") or []:
        requirement, _, marker = line.partition(";")
        of_extra = marker.replace("'", '"').partition('extra == "')[2].partition('"')[0]
        if of_extra == extra:
            name, _, oldest = requirement.replace("==", ">=").partition(">=")
            yield name.strip(), oldest.strip()


def installed(name: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def pins(path: Path) -> dict[str, list[str]]:
    """Return package -> versions that a requirements file pins, one for each range of Pythons.

    {} where there is no file, as in a wheel.
    """
    versions: dict[str, list[str]] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        if line[:1].isalnum():
            name, _, version = line.split()[0].partition("==")
            versions.setdefault(name, []).append(version)
    return versions


def older(version: str, oldest: str) -> bool:
    """Return whether a version's release numbers are below others: "2.9.1" is below "2.11"."""
    return _numbers(version) < _numbers(oldest)


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers, as of 2.15.0+cu130; what follows them is of no release."""
    numbers = []
    for part in version.partition("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    while numbers and numbers[-1] == 0:  # 2.11 is 2.11.0
        numbers.pop()
    return tuple(numbers)


def _against(name: str, oldest: str) -> Iterator[Finding]:
    version = installed(name)
    if version is None:
        yield Finding(f"package {name}", "FAIL", "not installed", INSTALL)
    elif oldest and older(version, oldest):
        yield Finding(f"package {name}", "FAIL", f"{version} is older than {oldest}", INSTALL)


def _pinned(pinned: dict[str, list[str]]) -> Iterator[Finding]:
    """Yield one line for all that differ: they may serve, but are not what was tested."""
    differing = [
        f"{name} {version} instead of {' or '.join(pinned[name])}"
        for name in sorted({name for name, _ in requirements()} & pinned.keys())
        if (version := installed(name)) is not None
        and version.partition("+")[0] not in pinned[name]
    ]
    if differing:
        message = f"not those of requirements.txt: {', '.join(differing)}"
        yield Finding("pinned versions", "WARN", message, INSTALL)
    elif pinned:
        yield Finding("pinned versions", "PASS", "those of requirements.txt")
