import errno
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

import pytest

from omnibench.cards import DatasetCard
from omnibench.data import download
from omnibench.data.download import fetch, verify
from omnibench.errors import DataError

CONTENT = bytes(range(256)) * 40
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves CONTENT and lets a test spoil it."""

    content = CONTENT
    ranges = True
    cuts: tuple[int, ...] = ()  # bytes after which the next connections break off
    status = 200
    length = ""  # what it says of the content's length; "" for the truth
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/set.npz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and server.ranges else 0
        body = server.content[start:]
        if server.status != 200 or (start and not body):
            self.send_error(server.status if server.status != 200 else 416)
            return
        self.send_response(206 if wanted and server.ranges else 200)
        self.send_header("Content-Length", server.length or str(len(body)))
        self.end_headers()
        if server.cuts:
            cut, *rest = server.cuts
            server.cuts = tuple(rest)
            body = body[:cut]
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def card(*urls: str) -> DatasetCard:
    return DatasetCard(
        id="own",
        reader="m:a",
        tasks=("classification",),
        files={"set/set.npz": MD5},
        urls={"set/set.npz": urls},
    )


def silent(name: str, done: int, total: int) -> None:
    pass


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_fetches_verifies_and_reports(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CHUNK_BYTES", 4000)
    seen: list[tuple[str, int, int]] = []
    fetch(card(server.url), tmp_path, lambda *step: seen.append(step))
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT
    assert seen == [("set.npz", done, 10240) for done in (4000, 8000, 10240)]
    assert files_in(tmp_path / "set") == ["set.npz"]


def test_a_second_fetch_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(card(server.url), tmp_path, silent)
    assert server.asked == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_continued_where_the_server_can(
    server: Server, tmp_path: Path, ranges: bool
) -> None:
    server.ranges = ranges
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.npz.part").write_bytes(CONTENT[:1000])
    seen: list[int] = []
    fetch(card(server.url), tmp_path, lambda _, done, total: seen.append(total))
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]
    assert set(seen) == {len(CONTENT)}


def test_a_cut_connection_is_continued(server: Server, tmp_path: Path) -> None:
    server.cuts = (3000, 4000)
    fetch(card(server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=3000-", "bytes=7000-"]


def test_a_cut_connection_without_ranges_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, (3000, 3000)
    with pytest.raises(DataError, match=r"set\.npz cannot be fetched .*the connection broke off"):
        fetch(card(server.url), tmp_path, silent)
    assert files_in(tmp_path / "set") == ["set.npz.part"]
    fetch(card(server.url), tmp_path, silent)
    assert files_in(tmp_path / "set") == ["set.npz"]


@pytest.mark.parametrize("length", ["abc", "-5", "1e9", "٣"])
def test_a_length_that_is_no_number_is_named(server: Server, tmp_path: Path, length: str) -> None:
    server.length = length.encode().decode("latin-1")
    with pytest.raises(DataError, match=r"the server gives '.+' as the file's length"):
        fetch(card(server.url), tmp_path, silent)


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 5])
def test_a_part_that_is_whole_or_too_long(server: Server, tmp_path: Path, length: int) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.npz.part").write_bytes((CONTENT + b"12345")[:length])
    fetch(card(server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT
    assert server.asked == [f"bytes={length}-"] + [None] * (length > len(CONTENT))


def test_a_part_of_another_file_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.npz.part").write_bytes(b"another file")
    fetch(card(server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT
    assert server.asked == ["bytes=12-", None]


def test_a_wrong_checksum_is_refused_once(server: Server, tmp_path: Path) -> None:
    server.content = b"another file"
    with pytest.raises(DataError, match=rf"sends a file whose checksum is not {MD5}"):
        fetch(card(server.url), tmp_path, silent)
    assert server.asked == [None]
    assert files_in(tmp_path / "set") == []


def test_the_next_address_is_tried(server: Server, tmp_path: Path) -> None:
    with Server() as unheard:
        closed = unheard.url  # its port is closed again
    fetch(card(closed, server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz").read_bytes() == CONTENT


def test_unreachable_says_what_to_put_where(server: Server, tmp_path: Path) -> None:
    server.status = 503
    with Server() as unheard:
        closed = unheard.url
    with pytest.raises(DataError) as caught:
        fetch(card(closed, server.url), tmp_path, silent)
    message = str(caught.value)
    assert f"{closed}: " in message
    assert "refused" in message
    assert f"{server.url}: HTTP 503" in message
    assert message.endswith(f"put it at {tmp_path / 'set/set.npz'}")
    with pytest.raises(DataError, match="it has no address"):
        fetch(card(), tmp_path, silent)


def test_a_file_of_one_s_own_is_never_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.npz").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"set\.npz is another file than own's .*move it away"):
        fetch(card(server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz").read_bytes() == b"mine"
    assert server.asked == []


def test_a_full_disk_keeps_what_came(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "CHUNK_BYTES", 4000)
    original: Callable[..., IO[Any]] = Path.open

    def full(path: Path, mode: str = "r", *rest: Any, **named: Any) -> IO[Any]:
        file = original(path, mode, *rest, **named)
        if path.suffix == ".part" and mode != "rb":
            write = file.write

            def limited(chunk: bytes) -> int:
                if file.tell() >= 8000:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return write(chunk)

            monkeypatch.setattr(file, "write", limited, raising=False)
        return file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError, match=r"set\.npz cannot be written \(No space left.*make room"):
        fetch(card(server.url), tmp_path, silent)
    assert (tmp_path / "set/set.npz.part").read_bytes() == CONTENT[:8000]


def test_a_folder_that_takes_no_file_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").write_text("a file where a folder is due")
    with pytest.raises(DataError, match=r"set\.npz cannot be written"):
        fetch(card(server.url), tmp_path, silent)


def test_verify(tmp_path: Path) -> None:
    own = card("http://x")
    [absent] = verify(own, tmp_path)
    assert (absent.file, absent.verdict) == ("set/set.npz", "WARN")
    assert "data fetch own" in absent.message
    (tmp_path / "set").mkdir()
    (tmp_path / "set/set.npz").write_bytes(CONTENT)
    assert verify(own, tmp_path) == [("set/set.npz", "PASS", MD5)]
    (tmp_path / "set/set.npz").write_bytes(CONTENT[:-1])
    [damaged] = verify(own, tmp_path)
    assert damaged.verdict == "FAIL"
    assert f"where {MD5} is expected" in damaged.message
