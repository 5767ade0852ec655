"""`report.html`: its structure, its escapes, its gaps; read with the standard library's parser."""

import base64
import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from omnibench.report.across import across_tables
from omnibench.report.comparisons import comparison_table
from omnibench.report.complete import completed
from omnibench.report.page import pictures
from omnibench.report.page.pictures import MOST, Image, data_address, record_pictures
from omnibench.report.page.render import FOLDER, Page, to_html
from omnibench.report.published import published_results
from omnibench.report.result_tables import result_table
from omnibench.report.table import Cell, Column, Table
from omnibench.states import states
from tests.report.by_hand import Study
from tests.report.html_document import Document
from tests.report.page_records import ATTACK, PNG, Results


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, str, Document]:
    with pytest.MonkeyPatch.context() as patch:
        results: Any = Results(tmp_path_factory.mktemp("results"), patch)
        text = results.report()
        results.again = results.report(results.folder / "again")
    return results, text, Document(text)


def test_every_element_is_closed_and_every_id_is_one_of_a_kind(
    page: tuple[Results, str, Document],
) -> None:
    results, text, document = page
    assert text.startswith("<!DOCTYPE html>")
    assert (document.broken, document.open) == ([], [])
    ids = [attributes["id"] for _, attributes, _ in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {
        name
        for _, attributes, _ in document.elements
        for key in ("aria-labelledby", "aria-describedby", "for", "data-filters")
        for name in (attributes.get(key) or "").split()
    }
    assert named <= set(ids)
    addresses = [a["href"] for _, a, _ in document.all("a")]
    assert {address[1:] for address in addresses if address.startswith("#")} <= set(ids)
    beside = [address for address in addresses if not address.startswith("#")]
    assert len(beside) == 3
    assert all((results.folder / "reports" / address).is_file() for address in beside)


def test_nothing_is_asked_of_the_network(page: tuple[Results, str, Document]) -> None:
    _, text, document = page
    for tag, attributes, _ in document.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster", "background"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:", "#", "samples/")), (tag, name, value)
    assert not document.all("iframe", "object", "embed", "base", "form", "audio", "video")
    (style,) = document.all("style")
    assert "url(" not in "".join(style[2])
    assert "@import" not in "".join(style[2])
    policies = [a["content"] for _, a, _ in document.all("meta") if "http-equiv" in a]
    assert policies[0].startswith("default-src 'none'; img-src data:")
    assert "http://" not in text
    assert "https://" not in text


def test_tables_have_captions_and_scopes_and_images_have_words(
    page: tuple[Results, str, Document],
) -> None:
    _, _, document = page
    tables = document.all("table")
    assert len(tables) >= 7
    assert len(document.all("caption")) == len(tables)
    assert all(document.texts("caption"))
    assert all(a["scope"] in ("col", "row") for _, a, _ in document.all("th"))
    columns = [a for _, a, _ in document.all("th") if a["scope"] == "col"]
    assert {a["aria-sort"] for a in columns} == {"none"}
    images = [a["alt"] for _, a, _ in document.all("img")]
    images += [a["aria-label"] for _, a, _ in document.all("svg") if a["role"] == "img"]
    assert len(images) >= 8
    assert all(len(words) > 20 for words in images)
    assert len(document.all("h1")) == len(document.all("main")) == 1
    levels = [int(tag[1]) for tag, _, _ in document.all("h1", "h2", "h3")]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert {"header", "nav", "main", "footer"} <= {tag for tag, _, _ in document.elements}
    inputs = {a["id"] for _, a, _ in document.all("input")}
    assert {a["for"] for _, a, _ in document.all("label") if "for" in a} == inputs


def test_every_value_tells_what_it_rests_on(page: tuple[Results, str, Document]) -> None:
    _, _, document = page
    details = document.details()
    (good,) = [text for text in details if text.startswith("good linear on dots, auc.")]
    for part in (
        "n = 3 repetitions; head seed varies.",
        "95 % t interval of the mean over repetitions (head seed only), on these test images: ",
        "Difference from base: +",
        "95 % interval +",
        "Verdict: described only, as this is not the task's primary metric.",
        "Tested for new images and runs, two-sided: p < .001.",
        "On these test images, over repetitions: paired t (head seed only), p ",
        "Metric definition: omnirad-classification.",
        "Records: ",
    ):
        assert part in good
    assert "Corrected" not in good
    (good,) = [text for text in details if text.startswith("good linear on dots, macro-f1.")]
    for part in (
        "May be the best of its column and adaptation (95 % confidence set).",
        "Rank 1 of 2 (95 % interval, new images and new runs).",
        "Verdict: better.",
        "Corrected over its family of 2: p ",
    ):
        assert part in good
    assert any("It is the baseline" in text for text in details)


def test_the_marks_are_explained_below_the_tables_that_have_them(
    page: tuple[Results, str, Document],
) -> None:
    _, _, document = page
    notes = [text for text in document.texts("p") if "mean ± standard deviation" in text]
    assert any("Bold: may be the best of its adaptation" in note for note in notes)
    assert any("† differs from base (corrected p < .05)." in note for note in notes)
    assert "What these numbers rest on" in document.texts("summary")


def test_gaps_are_shown_as_such(page: tuple[Results, str, Document]) -> None:
    _, text, document = page
    cells = document.texts("td")
    details = document.details()
    assert {"missing", "failed"} <= set(cells)
    assert any(text.startswith("lost knn on dots") for text in details)
    assert any(text.startswith("lost full on dots") for text in details)
    assert "None of 3 repetitions is done; the section on failures says why." in text
    assert any(cell.endswith("† (1/3)") for cell in cells)
    assert "n = 1 of 3 repetitions; head seed varies." in text
    assert "out of memory" in cells
    assert "0, 1, 2" in cells
    assert any(cell.startswith("no room </script><img src=x") for cell in cells)
    assert "weights lost: fetch them" in cells
    assert "secret.py" not in text  # tracebacks name folders of this machine
    assert "nan" not in re.findall(r"\w+", " ".join(cells))


def test_no_name_breaks_out(page: tuple[Results, str, Document]) -> None:
    _, text, document = page
    assert [a.get("type") for _, a, _ in document.all("script")] == [None, "application/json"]
    assert text.count("</script>") == 2
    assert not [a for _, a, _ in document.elements if any(key.startswith("on") for key in a)]
    assert any(ATTACK in cell for cell in document.texts("td"))
    assert "\x1b" not in text


def test_names_of_all_characters_survive(study: Study) -> None:
    name = f"a{ATTACK}\0\x07 <b>"
    study.add(name, [0.5, 0.6], dataset=ATTACK).add("b", [0.5, 0.7], dataset=ATTACK)
    tables = study.tables()
    image = Image(ATTACK, "data:,", f'"{ATTACK}', ATTACK)
    broken = Table.from_cells(ATTACK, [Column(ATTACK)], [[Cell("\udcff")]], ATTACK)
    html = to_html(
        Page(ATTACK, [ATTACK], tables, [ATTACK], failures=broken, figures=[image], left_out=ATTACK)
    ).decode()
    document = Document(html)
    assert (document.broken, document.open) == ([], [])
    assert [a.get("type") for _, a, _ in document.all("script")] == [None, "application/json"]
    assert not document.all("b")
    assert document.texts("h1") == [ATTACK]
    assert document.all("img")[0][1]["alt"] == f'"{ATTACK}'
    assert not re.search(r"[\0-\x08\x0b\x0e-\x1f\x7f-\x9f]", html)


def test_what_is_said_over_datasets_has_its_section(
    page: tuple[Results, str, Document], study: Study
) -> None:
    assert "across" not in {a.get("id") for _, a, _ in page[2].elements}  # one dataset
    for d in range(6):
        for k, name in enumerate(("a", "b", "c")):
            study.add(name, [0.1 * k + 0.01 * d, 0.2 * k], dataset=f"d{d}")
    actual = list(completed(study.results(), study.values))
    tables = across_tables(actual, [], "a", "holm")
    document = Document(to_html(Page("x", [], [], [], across=tables)).decode())
    assert (document.broken, document.open) == ([], [])
    assert "Across datasets: classification: auc, linear" in document.texts("h3")
    assert "#across" in {a["href"] for _, a, _ in document.all("a")}
    orders = [a["data-order"] for _, a, _ in document.all("td") if "data-order" in a]
    assert orders[0] == "1.0"  # the best mean rank


def test_texts_of_numbers_are_sorted_as_numbers() -> None:
    rows = (("a", "< .001"), ("b", ".5"), ("c", "\N{EN DASH}"))
    table = Table.from_texts("t", ("pair", "p"), rows, "")
    assert [row.cells[1].value for row in table.rows] == [0.001, 0.5, None]
    assert [column.kind for column in table.columns] == ["text", "number"]


def test_comparisons_put_their_numbers_first(study: Study) -> None:
    study.compare("good", p=0.2, p_corrected=0.4, low=-1.0, high=3.5, difference=1.5)
    study.compare("lost", test="none", difference=float("nan"), note="no auc of lost")
    score = ("def", "auc")
    grid = comparison_table(study.comparisons, {score: "auc"}, {score: "pixels"})
    assert grid.title == "Differences from random-vit"
    assert list(grid.heads[4:8]) == ["difference", "95 % interval", "p", "corrected p"]
    first, second = map(list, grid.texts)
    assert first[:10] == [
        *("good", "d", "auc", "linear", "+1.50 pixels", "-1.00 to 3.50", ".200", ".400"),
        *("undecided", "new images and runs"),
    ]
    dash = "\N{EN DASH}"
    assert second[4:] == [*(dash,) * 4, "not tested", *(dash,) * 4, "no auc of lost"]


def test_the_same_records_give_the_same_bytes(page: tuple[Results, str, Document]) -> None:
    results, text, _ = page
    assert results.again == text
    assert str(results.folder) not in text


def test_nothing_at_all_is_still_a_page() -> None:
    document = Document(to_html(Page("empty", [], [], [])).decode())
    assert (document.broken, document.open) == ([], [])
    assert "There is no result yet." in document.texts("p")


def test_pictures_are_capped_and_what_is_left_out_is_named(
    page: tuple[Results, str, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    results, _, document = page
    assert len([s for s in document.texts("summary") if s.startswith("Overlay sheet")]) == 6
    monkeypatch.setattr(pictures, "MOST", 2)
    images, left = record_pictures(states(results.units, results.store), results.store)
    assert [image.title[-12:] for image in images] == ["repetition 0"] * 2
    assert left == (
        "4 more pictures lie beside the records, to keep this page light: in the results folder, "
        "below records/classification/dots/base/full, records/classification/dots/good/full."
    )
    assert MOST >= 10


def test_each_kind_of_picture_has_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results(tmp_path, monkeypatch)
    for cell in next(u for u in results.units if u.short == "linear").cells:
        record, predictions = results.store.read(cell), {"test_case": np.arange(3)}
        assert record is not None
        results.store.write(cell, record, predictions, {"captions.png": PNG, "other.png": PNG})
    monkeypatch.setattr(pictures, "MOST", 3)
    images, _ = record_pictures(states(results.units, results.store), results.store)
    assert [image.title.partition(":")[0] for image in images] == [
        *("Caption sheet", "Other", "Overlay sheet")
    ]
    assert images[0].caption == f"Texts. File: {images[0].caption.split()[-1]}"


def test_a_picture_is_a_small_address_of_its_own(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    Picture.fromarray(noise).save(tmp_path / "a.png")
    kind, _, content = data_address(tmp_path / "a.png").partition(",")
    assert kind == "data:image/webp;base64"
    assert len(content) < (tmp_path / "a.png").stat().st_size / 2
    with Picture.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert picture.size == (80, 60)


def test_a_file_that_is_no_picture_is_left_out(page: tuple[Results, str, Document]) -> None:
    results, _, _ = page
    broken = next(results.folder.rglob("*.overlay.png"))
    content = broken.read_bytes()
    broken.write_bytes(content[:40])
    images, _ = record_pictures(states(results.units, results.store), results.store)
    broken.write_bytes(content)
    assert len(images) == 5


def test_style_and_script_have_no_foreign_addresses() -> None:
    for path in FOLDER.glob("page.*"):
        assert "//" not in re.sub(r"^\s*// .*$", "", path.read_text(), flags=re.M)


SCRIPT = """
import sys
from dataclasses import replace
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.report import page_records
class Patch:
    setattr = staticmethod(lambda target, name, value, **_: setattr(target, name, value))
results = page_records.Results(Path(sys.argv[2]), Patch)
results.report()
assert "matplotlib.figure" in sys.modules
for name in [name for name in sys.modules if name.startswith("matplotlib")]:
    del sys.modules[name]
results.report()
assert "matplotlib.figure" not in sys.modules, "unchanged figures were drawn again"
heavy = {"torch", "timm", "transformers", "umap"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_a_whole_report_imports_no_torch_and_draws_nothing_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[2]), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_confidence_set_the_second_and_what_was_seen_are_marked(demo: Study) -> None:
    demo.stand("best", "good", "random-vit", low=1, high=2, models=2).stand("incomplete", "fair")
    seen = {(name, "d"): ("busi",) for name in ("fair", "random-vit")}
    (printed,) = demo.tables(baseline="random-vit", seen=seen)
    cells = {row.cells[0].text: row.cells[2] for row in printed.rows[::-1]}
    second, fair = cells["random-vit"], cells["fair"]
    assert second.marks == ("best", "second", "seen")
    assert "Rank 1 to 2 of 2 (95 % interval, new images and new runs)." in second.details
    assert "The backbone's pretraining data hold images of its source: busi." in second.details
    assert fair.signs == "\N{DOUBLE DAGGER} (2/3)"
    assert "It lacks repetitions, so it takes no part in the ranks." in fair.details
    text = to_html(Page("s", [], [printed], [])).decode()
    assert '<span class="mean best second">52.00</span>' in text


def test_published_numbers_tell_whose_they_are(study: Study) -> None:
    given = {"varies": "training seed", "definition": "omnirad-classification"}
    study.add("my-vit", [0.9, 0.91], "breastmnist", "full", "accuracy", **given)
    (table,) = published_results("omnirad", study.results())
    rows = {row.cells[0].text: row.cells for row in result_table(table).rows}
    said = " ".join(rows["OmniRad small"][4].details)
    assert "Published in omnirad, Table 3 (own), n = 5 as claimed; not computed here." in said
    assert "Metric definition: omnirad-classification." in said
    assert rows["Resnet18 [36]"][4].text == "83.3"  # as printed
    assert "n = 2 repetitions; training seed varies." in rows["my-vit"][4].details
