"""A text that is printed acts on nothing: what a terminal would obey is spelled out."""

import logging
import sys

import pytest

from omnibench.terminal import PrintableFormatter, columns, duration, hanging, printable, size

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


def test_sizes_and_times_are_read_in_the_units_that_matter() -> None:
    counts = (0, 999, 1000, 999_600, 31_400, 1_310_000_000, 10**16)
    assert [size(count) for count in counts] == [
        *("0 B", "999 B", "1 kB", "1 MB", "31.4 kB", "1.31 GB", "1e+04 TB")
    ]
    seconds = (0.4, 99, 120, 12_000, 200_000)
    assert [duration(s) for s in seconds] == ["0 s", "99 s", "2 min", "3 h 20 min", "2 days"]


def test_a_long_line_goes_on_set_in_on_a_terminal_alone(terminal: pytest.MonkeyPatch) -> None:
    text = "WARN  disk: little room is left -> cache prune"
    terminal.setenv("COLUMNS", "30")
    assert hanging(text).splitlines() == [
        "WARN  disk: little room is",
        "      left -> cache prune",
    ]
    terminal.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert hanging(text) == text
