"""A text that is printed acts on nothing: what a terminal would obey is spelled out."""

import logging

from omnibench.terminal import PrintableFormatter, printable


def test_what_a_terminal_obeys_is_spelled_out() -> None:
    assert printable("a\x1b[2Jb\x07\x9b\x7f\r") == r"a\x1b[2Jb\x07\x9b\x7f\r"
    assert printable("safe\u202egnp.exe\ud800") == r"safe\u202egnp.exe\ud800"


def test_words_of_any_language_lines_and_tabs_stay() -> None:
    text = "Lésion\tŁódź 左肺 ± é\nnext 🫁"
    assert printable(text) == text


def test_a_line_of_the_log_is_spelled_out_with_its_arguments() -> None:
    record = logging.LogRecord("omnibench", 30, "", 0, "%s is damaged", ("\x1b]0;x\x07",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"\x1b]0;x\x07 is damaged"
