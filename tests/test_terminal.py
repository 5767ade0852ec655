"""A text that is printed acts on nothing: what a terminal would obey is spelled out."""

import logging
import sys

import pytest

from omnibench.terminal import (
    WIDTH,
    PrintableFormatter,
    columns,
    duration,
    hanging,
    print_above,
    printable,
    shortened,
    size,
    wrapped,
)

ROWS = [("brain", "linear, decoder, full", "a long sentence that tells what this is good for")]
HEADER = ("dataset", "adaptations", "note")


def test_what_a_terminal_obeys_is_spelled_out() -> None:
    assert printable("a\x1b[2Jb\x07\x9b\x7f\r") == r"a\x1b[2Jb\x07\x9b\x7f\r"
    assert printable("safe\u202egnp.exe\ud800") == r"safe\u202egnp.exe\ud800"


def test_words_of_any_language_lines_and_tabs_stay() -> None:
    text = "Lésion\tŁódź 左肺 ± é\nnext 🫁"
    assert printable(text) == text


def test_a_line_of_the_log_is_spelled_out_with_its_arguments() -> None:
    record = logging.LogRecord("omnibench", 30, "", 0, "%s is damaged", ("\x1b]0;x\x07",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"\x1b]0;x\x07 is damaged"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    return monkeypatch


def test_a_pipe_gets_one_whole_line_a_row() -> None:
    assert columns(ROWS, HEADER).splitlines() == [
        "dataset  adaptations            note",
        "brain    linear, decoder, full  a long sentence that tells what this is good for",
    ]


@pytest.mark.parametrize("width", [30, 60, 79, 100])
def test_a_table_fits_the_terminal_and_keeps_every_word(
    terminal: pytest.MonkeyPatch, width: int
) -> None:
    terminal.setenv("COLUMNS", str(width))
    text = columns(ROWS, HEADER)
    assert max(map(len, text.splitlines())) <= width
    words = {word for cell in ROWS[0] for word in cell.split()}
    assert words <= set(text.split())


def test_columns_that_would_be_too_narrow_become_blocks(terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("COLUMNS", "28")
    assert columns(ROWS, HEADER).splitlines() == [
        "brain",
        "  adaptations: linear,",
        "    decoder, full",
        "  note: a long sentence that",
        "    tells what this is good",
        "    for",
    ]


def test_a_cell_acts_on_no_terminal() -> None:
    text = columns([("\x1b[2J", "a\nb")], ("id", "note"))
    assert text.splitlines() == ["id       note", r"\x1b[2J  a b"]


def test_sizes_are_read_in_powers_of_ten() -> None:
    counts = (0, 999, 1000, 999_600, 31_400, 1_310_000_000, 10**16)
    assert [size(count) for count in counts] == [
        *("0 B", "999 B", "1 kB", "1 MB", "31.4 kB", "1.31 GB", "1e+04 TB")
    ]


def test_a_long_line_goes_on_set_in_on_a_terminal_alone(terminal: pytest.MonkeyPatch) -> None:
    text = "WARN  disk: little room is left -> cache prune"
    terminal.setenv("COLUMNS", "30")
    assert hanging(text).splitlines() == [
        "WARN  disk: little room is",
        "      left -> cache prune",
    ]
    terminal.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert hanging(text) == text


def test_a_long_name_is_shortened_in_its_middle() -> None:
    assert shortened("segmentation/phantom/vit/linear", 15) == "segment…/linear"
    assert shortened("short", 15) == "short"
    assert shortened("a\x1b[2J", 20) == r"a\x1b[2J"
    assert [len(shortened("name" * 9, width)) for width in (1, 2, 3)] == [1, 2, 3]


def test_a_text_is_wrapped_whatever_its_words_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert wrapped("one two three", 8) == "one two\n  three"
    print_above("x" * 300)
    assert max(map(len, capsys.readouterr().err.splitlines())) == WIDTH


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (99, "99 s"),
        (100, "2 min"),
        (5900, "98 min"),
        (12_000, "3 h 20 min"),
        (3e5, "3 days"),
    ],
)
def test_a_time_is_in_the_units_that_matter(seconds: float, words: str) -> None:
    assert duration(seconds) == words
