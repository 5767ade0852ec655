"""A hub on loopback: as much of the Hugging Face hub's protocol as its client needs to download."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".bin", ".parquet")  # these the hub redirects to its large-file storage


class Asked(NamedTuple):
    """One request: its path without what follows "?", its Range and its Authorization."""

    method: str
    path: str
    range: str | None
    login: str | None


class StubHub(ThreadingHTTPServer):
    """Repositories that a test fills, and ways to spoil their downloads.

    Attributes:
        repositories: OWNER/NAME (datasets/OWNER/NAME of a dataset) -> file name -> content.
        gated: repositories that want `token`.
        cuts: after how many bytes each next download of a large file breaks off.
        asked: every request, in order.
    """

    daemon_threads = True
    token = "hf_right"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.cuts: list[int] = []
        self.asked: list[Asked] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def downloads(self) -> list[Asked]:
        """The downloads of large files."""
        return [
            item for item in self.asked if item.method == "GET" and item.path.startswith("large/")
        ]


class Handler(BaseHTTPRequestHandler):
    server: StubHub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _asked(self, path: str) -> Asked:
        headers = self.headers
        return Asked(self.command, path, headers.get("Range"), headers.get("Authorization"))

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).strip("/")
        self.server.asked.append(self._asked(path))
        if path.startswith("large/"):
            self._large(path.rpartition("/")[2])
        elif match := re.fullmatch(r"(.+?)/resolve/([^/]+)/(.+)", path):
            self._resolve(*match.groups())
        elif match := re.fullmatch(r"api/(models|datasets)/(.+?)/(revision|tree)/([^/]+)", path):
            kind, name, what, revision = match.groups()
            self._list(f"datasets/{name}" if kind == "datasets" else name, what, revision)
        else:
            self._send(404)

    def _list(self, repository: str, what: str, revision: str) -> None:
        if self._refused(repository, revision):
            return
        files = self.server.repositories[repository]
        commit = _commit(files)
        if what == "tree":
            told: Any = [_entry(name, content) for name, content in files.items()]
        else:
            siblings = [{"rfilename": name} for name in files]
            told = {"id": repository.removeprefix("datasets/"), "sha": commit, "siblings": siblings}
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _resolve(self, repository: str, revision: str, name: str) -> None:
        if self._refused(repository, revision):
            return
        files = self.server.repositories[repository]
        if name not in files:
            self._send(404, headers={"X-Error-Code": "EntryNotFound"})
            return
        content = files[name]
        headers = {"X-Repo-Commit": _commit(files)}
        if not name.endswith(LARGE):
            self._send(200, content, headers | {"ETag": f'"{_sha256(content)[:40]}"'})
            return
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{_sha256(content)}"'}
        # As the real one's, its storage is another host: the client asks it without the login.
        storage = self.server.endpoint.replace("127.0.0.1", "localhost")
        self._send(302, headers=headers | {"Location": f"{storage}/large/{_sha256(content)}"})

    def _refused(self, repository: str, revision: str) -> bool:
        login = self.headers.get("Authorization")
        files = self.server.repositories.get(repository)
        refusal = None
        if login not in (None, f"Bearer {self.server.token}"):
            refusal = 401, {"X-Error-Message": "Invalid credentials in Authorization header"}
        elif files is None:
            refusal = 404, {"X-Error-Code": "RepoNotFound"}
        elif repository in self.server.gated and login is None:
            refusal = 401, {"X-Error-Code": "GatedRepo"}
        elif revision not in ("main", _commit(files)):
            refusal = 404, {"X-Error-Code": "RevisionNotFound"}
        if refusal:
            self._send(refusal[0], headers=refusal[1])
        return refusal is not None

    def _large(self, digest: str) -> None:
        every = (c for files in self.server.repositories.values() for c in files.values())
        content = next(content for content in every if _sha256(content) == digest)
        wanted = self.headers.get("Range")
        start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
        headers = {"ETag": f'"{digest}"'}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = self.server.cuts.pop(0) if self.command == "GET" and self.server.cuts else None
        self._send(206 if wanted else 200, content[start:], headers, cut)

    def _send(
        self,
        status: int,
        content: bytes = b"",
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:cut])


@contextmanager
def served() -> Iterator[StubHub]:
    """A hub that answers until the block ends."""
    with StubHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _commit(files: dict[str, bytes]) -> str:
    digest = hashlib.sha1()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {_sha256(content)}\n".encode())
    return digest.hexdigest()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content)}
    entry["oid"] = hashlib.sha1(content).hexdigest()
    if name.endswith(LARGE):
        entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 134}
    return entry
