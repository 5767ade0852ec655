"""Fetching a dataset's files from their official addresses, and verifying those that are there."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from omnibench.cards import DatasetCard
from omnibench.data import hub
from omnibench.data.checksums import checksum_like, hash_file
from omnibench.errors import DataError
from omnibench.locks import locked

Progress = Callable[[str, int, int], None]  # file name, bytes done, bytes in all (0: unknown)

TIMEOUT_S = 30.0
CHUNK_BYTES = 1 << 20


class Verdict(NamedTuple):
    """Of one file: PASS, WARN (absent) or FAIL (another file), with the way out."""

    file: str
    verdict: Literal["PASS", "WARN", "FAIL"]
    message: str


def fetch(card: DatasetCard, data_dir: Path, progress: Progress) -> None:
    """Fetch those of the card's files that are not there yet; the hub's show their own progress.

    A file appears under its name only after its checksum was verified. What a broken connection
    left is kept as `.part` and continued by the next try, at any of the file's addresses.

    Raises:
        DataError: no address gives the file, the file that is there is another one, or there is
            no room; with what to put where.
    """
    if card.hub is not None:
        hub.fetch(card, data_dir)
    for name, expected in card.files.items():
        path = data_dir / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path.with_name(f".{path.name}.lock")):
                if not path.exists():
                    _fetch_file(card.urls.get(name, ()), path, expected, progress)
                elif checksum_like(expected, path, data_dir) != expected:
                    raise DataError(
                        f"{path} is another file than {card.id}'s (its checksum is not {expected})"
                        "; move it away and fetch again"
                    )
        except OSError as error:
            raise DataError(
                f"{path} cannot be written ({error.strerror or error}); make room or name another "
                "folder with --data: what came already is kept and continued"
            ) from error


def verify(card: DatasetCard, data_dir: Path) -> list[Verdict]:
    """Read each of the card's files anew and compare its checksum; [] for a card without files."""
    verdicts = []
    for name, expected in card.files.items():
        path = data_dir / name
        if not path.is_file():
            way_out = f"absent; run `bench.py data fetch {card.id}` or put it at {path}"
            verdicts.append(Verdict(name, "WARN", way_out))
            continue
        algorithm = expected.partition(":")[0]
        checksum = f"{algorithm}:{hash_file(algorithm, path)}"
        if checksum == expected:
            verdicts.append(Verdict(name, "PASS", checksum))
        else:
            way_out = f"{checksum} where {expected} is expected; delete {path} and fetch it again"
            verdicts.append(Verdict(name, "FAIL", way_out))
    return verdicts


def _fetch_file(urls: tuple[str, ...], path: Path, expected: str, progress: Progress) -> None:
    part = path.with_name(f"{path.name}.part")
    complaints = []
    for url in urls:
        complaint = _try(url, part, expected, progress)
        if not complaint:
            part.replace(path)
            return
        complaints.append(f"{url}: {complaint}")
    raise DataError(
        f"{path.name} cannot be fetched ({'; '.join(complaints) or 'it has no address'}); get it "
        f"by other means and put it at {path}"
    )


def _try(url: str, part: Path, expected: str, progress: Progress) -> str:
    """Bring `part` to the verified file, going on as long as that helps; "" or what is wrong."""
    algorithm = expected.partition(":")[0]
    fresh = False
    while True:
        before = part.stat().st_size if part.exists() else 0
        fresh = fresh or before == 0
        complaint = _transfer(url, part, before, progress)
        if not complaint:
            if f"{algorithm}:{hash_file(algorithm, part)}" == expected:
                return ""
            part.unlink()
            if fresh:
                return f"it sends a file whose checksum is not {expected}"
            # what was continued may have been begun with another file: once more from the start
        elif not part.exists() or part.stat().st_size <= before:
            return complaint


def _transfer(url: str, part: Path, before: int, progress: Progress) -> str:
    """Append what follows the first `before` bytes, or all; "" or why it is not complete."""
    headers = {"User-Agent": "omnibench"}
    if before:
        headers["Range"] = f"bytes={before}-"
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        )
    except urllib.error.HTTPError as error:
        # 416: nothing follows, so the checksum decides whether it is the whole file
        return "" if error.code == 416 and before else f"HTTP {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return _reason(error)
    continued = response.status == 206
    done = before if continued else 0
    length = response.headers.get("Content-Length") or "0"
    if not (length.isascii() and length.isdecimal()):
        response.close()
        return f"the server gives '{length[:40]}' as the file's length"
    total = done + int(length)
    with response, part.open("ab" if continued else "wb") as file:
        while True:
            try:
                chunk = response.read(CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                return _reason(error)
            if not chunk:
                return "" if done >= total else "the connection broke off"
            file.write(chunk)
            done += len(chunk)
            progress(part.stem, done, total)


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error) or type(error).__name__
