"""The log file has every message with its unit and traceback; the screen has the news, once."""

import logging
import os
from pathlib import Path

import pytest

from omnibench.commands import logs
from omnibench.commands.logs import NEWEST, logged
from omnibench.engines.messages import log_again
from omnibench.terminal import WIDTH

RUN = "0123456789abcdef"
log = logging.getLogger("omnibench")


def test_the_file_has_all_and_the_screen_what_is_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logged(tmp_path, "demo", RUN, logging.WARNING) as path:
        log.debug("294 of 294 tensors loaded")
        log.warning("captions cut")
        log.warning("captions cut")
        log.warning("cleared \x1b[2J " + "words " * 50)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            log.error("bad", exc_info=True)
        log_again((logging.DEBUG, "a unit failed", "t/d/b/full", "Traceback of a slot"))
    assert path == tmp_path / "logs" / f"demo-{RUN}.log"
    written = path.read_text()
    assert f"{RUN} DEBUG: 294 of 294 tensors loaded\n" in written
    assert written.count("captions cut") == 2
    assert f"{RUN} DEBUG t/d/b/full: a unit failed\nTraceback of a slot\n" in written
    assert "ZeroDivisionError\n" in written and "\x1b" not in written
    err = capsys.readouterr().err
    assert err.startswith("[012345] captions cut\n[012345] cleared \\x1b[2J")
    assert err.count("captions cut") == 1 and "Traceback" not in err and "tensors" not in err
    assert max(map(len, err.splitlines())) <= WIDTH


def test_the_handlers_of_the_process_hear_what_they_did_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "omnibench")
    with logged(tmp_path, "demo", RUN):
        log.debug("a detail")
        log.info("news")
    log.info("afterwards")
    assert caplog.messages == ["news", "afterwards"]
    assert "a detail" in (tmp_path / "logs" / f"demo-{RUN}.log").read_text()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_where_no_log_file_can_be_written_the_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    results, outside = tmp_path / "results", tmp_path / "outside"
    results.mkdir()
    outside.mkdir()
    folder = results / "logs"
    folder.touch() if kind == "file" else folder.symlink_to(outside)
    with logged(results, "demo", RUN, logging.WARNING) as path:
        log.warning("news")
    assert path is None
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("[012345] this run has no log file: ")
    assert last == "[012345] news"
    assert list(outside.iterdir()) == []


def test_a_full_disk_ends_the_file_and_not_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, record: object) -> str:
        raise OSError(28, "No space left on device")

    with logged(tmp_path, "demo", RUN, logging.WARNING):
        monkeypatch.setattr(logs._File, "format", full)
        log.warning("first")
        log.warning("second")
    err = " ".join(capsys.readouterr().err.split())
    assert err.count("cannot be written; the run goes on") == 1
    assert "[012345] second" in err and "Traceback" not in err


def test_the_newest_files_of_a_suite_stay(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for k in range(NEWEST + 5):
        path = folder / f"demo-{k:016x}.log"
        path.touch()
        os.utime(path, (k, k))
    others = [folder / "demo-2-0000000000000000.log", folder / "demo-mine.log"]
    for path in others:
        path.touch()
    with logged(tmp_path, "demo", RUN):
        pass
    names = {path.name for path in folder.iterdir()}
    assert {path.name for path in others} < names
    assert len(names) == NEWEST + 2
    assert f"demo-{5:016x}.log" not in names and f"demo-{6:016x}.log" in names
