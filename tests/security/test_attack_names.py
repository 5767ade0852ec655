"""HTML, LaTeX and Markdown in what a report prints of cards, classes and errors."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from omnibench import catalogue
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.session import Places, Session
from omnibench.store import RecordStore
from tests.conftest import Bench
from tests.security.attack_tools import done

HTML = "</td></script><script>alert(1)</script><img src=x onerror=alert(1)>"
LATEX = r"\input{/etc/passwd}\write18{touch MARKER}%#$&_^~}{"
MARKDOWN = "| [x](javascript:alert(1)) `b` **c** ![i](http://evil)"
ATTACK = f"{HTML} {LATEX} {MARKDOWN} \x1b[31m \u202e"
IDS = (HTML, LATEX, MARKDOWN, "a b", "a\nb", "../a", "-a", "$a$", "a\u202e", "")


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_letters_digits_and_three_marks(bench: Bench, tmp_path: Path, name: str) -> None:
    escaped = name.encode("unicode_escape").decode().replace('"', r"\"")
    backbone = "{id: %s, source: 'random:test_vit'}"
    matrix = "matrix: [{task: classification, datasets: [phantom], adaptations: [knn]}]"
    path = tmp_path / "attack.yaml"
    quoted = f'"{escaped}"'
    for text, where in (
        (f"name: {quoted}\nbackbones: [{backbone % 'v'}]\n", "name"),
        (f"name: a\nbackbones: [{backbone % quoted}]\n", r"backbones\[0\]\.id"),
    ):
        path.write_text(f"{text}{matrix}\n")
        status, out, err = bench("plan", path)
        assert (status, out) == (2, "")
        assert re.search(rf"attack\.yaml: {where}: String should match pattern", err), err
    for kind, fields in ((BackboneCard, {"source": "random:x"}), (DatasetCard, {"reader": "a:b"})):
        with pytest.raises(ValueError, match="String should match pattern"):
            kind.model_validate({"id": name, **fields})


class Page(HTMLParser):
    """The tags of a page, their attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text = list[Any](), list[Any](), list[Any]()
        self.feed(text)

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: Any) -> None:
        self.text.append(data)


@pytest.fixture
def reported(bench: Bench, tmp_path: Path) -> Path:
    """The folder of a report on hostile cards and a hostile error."""
    catalogue.register_dataset(
        DatasetCard(
            **{"id": "hostile-set", "reader": "a:b", "tasks": ("classification",)},
            **{"classes": (ATTACK, "b"), "modality": ATTACK, "note": ATTACK, "licence": ATTACK},
            **{"citation": ATTACK, "origins": (ATTACK,), "primary": {"classification": "auc"}},
            splits={"train": 12, "val": 12, "test": 12},
        )
    )
    for name in ("hostile", "failing", "control"):
        catalogue.register_backbone(
            BackboneCard(
                **{"id": name, "source": "random:test_vit", "family": ATTACK, "size": ATTACK},
                **{"licence": ATTACK, "citation": ATTACK, "pretraining": (ATTACK,)},
            )
        )
    path = tmp_path / "attack.yaml"
    path.write_text(
        "{name: attack, repetitions: 2, backbones: [hostile, failing, control], matrix: [{task:\n"
        "classification, datasets: [hostile-set], adaptations: [linear]}],\n"
        "report: {baseline: control}}"
    )
    store = RecordStore(tmp_path / "results")
    for unit in Session.open(Places(results=tmp_path / "results")).suite(str(path))[1]:
        for cell in unit.cells:
            record, predictions = done(cell)
            record["environment"] |= {"device": ATTACK, "platform": ATTACK}
            if unit.backbone.id == "failing":
                error = {"kind": ATTACK, "message": ATTACK, "traceback": ATTACK}
                record |= {"status": "failed", "error": error, "metrics": {}, "cost": {}}
            store.write(cell, record, None if record["error"] else predictions)
    status, out, err = bench("report", path, "--out", tmp_path / "out")
    assert status in (0, 1), err
    assert "\x1b" not in out + err
    return tmp_path / "out"


def test_a_page_of_hostile_texts_runs_nothing(reported: Path) -> None:
    text = (reported / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    shown = " ".join("".join(page.text).split())
    assert HTML in shown  # as it is, for people to read
    assert page.tags.count("script") == 2  # the page's own, and the details as data
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    addresses = [value for name, value in page.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:", "#", "samples/")) for value in addresses)
    assert "\x1b" not in text
    assert MARKDOWN in shown


def test_tex_of_hostile_texts_has_no_command_of_theirs(reported: Path) -> None:
    sources = list(reported.rglob("*.tex"))
    assert len(sources) >= 2
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert r"\input{/etc" not in text
    assert r"\write18" not in text
    assert r"\textbackslash{}input\{/etc/passwd\}" in text.replace(r"\allowbreak{}", "")


def test_markdown_of_hostile_texts_is_text(reported: Path) -> None:
    for path in reported.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<!\\)<(script|img|/td)", text), path
        assert not re.search(r"(?<!\\)\]\(", text), path


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_report_compiles_and_runs_nothing(reported: Path, marker: Path) -> None:
    done = subprocess.run(
        ["pdflatex", "-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "report.tex"],
        cwd=reported,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert b"root:" not in done.stdout
    assert not (reported / "MARKER").exists()
