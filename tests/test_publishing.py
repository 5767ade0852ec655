"""What publishes the project says of it what the project itself says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text("utf-8"))


def test_the_citation_names_the_package_that_is_built() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == PROJECT["name"]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["abstract"] == f"{PROJECT['description']}."
    assert citation["keywords"] == PROJECT["keywords"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]


def test_the_readme_installs_the_wheel_that_is_built() -> None:
    wheel = f"{PROJECT['name']}-{PROJECT['version']}-py3-none-any.whl"
    for page in ("README.md", "docs/howto/clusters.md", "docs/howto/offline.md"):
        wheels = set(re.findall(r"[\w.-]+\.whl", (ROOT / page).read_text("utf-8")))
        assert wheels == {wheel}, page


def test_the_workflow_runs_the_project_s_own_check_and_may_only_read() -> None:
    workflow = read(".github/workflows/ci.yml")
    assert workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    assert "permissions" not in job
    assert job["steps"][-1] == {"run": ".ci/run"}
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"][0] == oldest
    assert "secrets" not in str(workflow)
    assert "make check" in (ROOT / ".ci/run").read_text("utf-8")
