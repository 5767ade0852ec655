"""SVG figures: small, and harmless beside each other and in a page."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from omnibench.report.figures import drawing
from omnibench.report.figures.drawing import Drawing
from omnibench.report.figures.svg import HREF, POINTER, SVG

NAME = "<script>alert(1)</script> & \" ' ]]> \x1b \x00 1.23456"


def svg_of(folder: Path, stem: str, title: str = NAME, marks: int = 3) -> str:
    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], "o-", label=title)
        axes.plot(range(marks), [0.123456] * marks, "s", clip_on=True)
        axes.set_title(title)

    item = Drawing(stem, "T", "what it shows", "", (3, 2), {"marks": marks}, draw)
    return drawing.write(item, folder)[1].read_text(encoding="utf-8")


def test_names_stay_texts(tmp_path: Path) -> None:
    root = ElementTree.fromstring(svg_of(tmp_path, "a"))
    texts = [element.text for element in root.iter(f"{{{SVG}}}text")]
    assert NAME.replace("\x1b", "\ufffd").replace("\x00", "\ufffd") in texts
    assert not list(root.iter(f"{{{SVG}}}script"))
    assert not list(root.iter(f"{{{SVG}}}style"))


def test_two_figures_share_no_id_and_point_to_their_own(tmp_path: Path) -> None:
    ids = []
    for stem in "ab":
        root = ElementTree.fromstring(svg_of(tmp_path, stem))
        own = [element.get("id") for element in root.iter() if element.get("id")]
        values = [(name, value) for element in root.iter() for name, value in element.items()]
        used = {value[1:] for name, value in values if name == HREF}
        used |= {target for _, value in values for target in POINTER.findall(value)}
        assert len(own) == len(set(own))
        assert used == set(own)
        ids.append(set(own))
    assert ids[0] and not ids[0] & ids[1]


def test_an_svg_asks_nothing_of_the_network_and_has_no_prolog(tmp_path: Path) -> None:
    text = svg_of(tmp_path, "a", "plain")
    assert text.startswith("<svg ")
    assert "<!DOCTYPE" not in text and "w3.org/Graphics" not in text
    assert text.count("http://") == text.count('="http://www.w3.org/')


def test_very_many_marks_are_pixels(tmp_path: Path) -> None:
    few, many = (svg_of(tmp_path, f"m{marks}", "m", marks) for marks in (1000, 20_000))
    assert "data:image/png;base64," not in few
    assert "data:image/png;base64," in many
    assert len(many) < len(few)
