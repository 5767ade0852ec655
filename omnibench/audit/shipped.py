"""Find the published tables that come with the package or that an argument names."""

from pathlib import Path

from omnibench.errors import RequestError
from omnibench.registry import did_you_mean


def published_folder() -> Path:
    """Return the folder of the tables that come with the package."""
    return Path(__file__).resolve().parents[1] / "published"


def shipped_studies() -> list[str]:
    """Return the names of the studies whose tables come with the package."""
    return sorted(entry.name for entry in published_folder().glob("*/"))


def find_tables(name: str) -> list[Path]:
    """Return the CSVs that an argument names: a file, a folder, or a shipped study.

    Raises:
        RequestError: it is none of them, or a folder without any.
    """
    shipped = published_folder()
    path = Path(name)
    if not path.exists() and (shipped / name).exists():
        path = shipped / name
    if path.is_dir():
        tables = sorted(path.glob("*.csv"))
        if not tables:
            raise RequestError(f"{path} holds no CSV")
        return tables
    if path.is_file():
        return [path]
    studies = shipped_studies()
    known = ", ".join(studies) or "none is installed"
    raise RequestError(
        f"there is no file '{name}'; give CSV files, a folder of them, or a shipped study "
        f"({known}){did_you_mean(name, studies)}"
    )
