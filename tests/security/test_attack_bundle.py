"""Bundles from an attacker: nothing is written outside, unpacked to more, or followed."""

import json
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.record import as_bytes, checksum
from tests.conftest import Bench

Forge = Callable[..., Path]


@pytest.fixture
def contents(
    bench: Bench, suite: Any, plant: Any, arrays: dict[str, Any], tmp_path: Path
) -> dict[str, bytes]:
    """The members of a bundle of one record, without its manifest."""
    np.savez(tmp_path / "good.npz", **arrays)
    path = suite("npz:good.npz")
    plant(path, tmp_path / "made")
    assert bench("bundle", path, tmp_path / "good.zip", "--results", tmp_path / "made")[0] == 0
    with zipfile.ZipFile(tmp_path / "good.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members["manifest.json"]
    return members


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Write an archive whose manifest fits whatever it holds."""

    def forge(contents: Mapping[str, bytes], **manifest: Any) -> Path:
        path = tmp_path / "forged.zip"
        files = {name: checksum(content) for name, content in contents.items()}
        head = {"format": 1, "omnibench": "0", "suite": "attack", "files": files, **manifest}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("manifest.json", json.dumps(head))
            for name, content in contents.items():
                archive.writestr(name, content)
        return path

    return forge


def refused(bench: Bench, path: Path, folder: Path, what: str) -> None:
    before = {file for file in folder.rglob("*") if file.is_file()}
    status, _, err = bench("merge", path)
    assert (status, what in err, err.count("\n")) == (2, True, 1), err
    assert before == {file for file in folder.rglob("*") if file.is_file()}


def test_a_forged_archive_with_nothing_wrong_is_taken_in(
    bench: Bench, contents: dict[str, bytes], forge: Forge
) -> None:
    status, out, _ = bench("merge", forge(contents))
    assert (status, "1 taken in" in out) == (0, True)


@pytest.mark.parametrize(
    "name",
    [
        "../../out.json", "/tmp/out.json", "records/../../../out.json", "records//out.json",
        "suites/./out.yaml", r"records\..\out.json", "C:out.json", "records/.hidden.json",
        "suites/~x.yaml", "records/" + "x" * 250, "suites/\x1b[2J.yaml", "~/out.json",
    ],
)  # fmt: skip
def test_a_member_that_leads_elsewhere_is_refused(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path, name: str
) -> None:
    refused(bench, forge({**contents, name: b"x"}), tmp_path, "which leads elsewhere")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_links_pipes_devices_and_folders_are_refused(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path, kind: int
) -> None:
    path = forge({**contents, "suites/link.yaml": b"/etc/passwd"})
    with zipfile.ZipFile(path) as archive:
        members = {info: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members.items():
            if info.filename == "suites/link.yaml":
                info.external_attr = (kind | 0o777) << 16
            archive.writestr(info, content)
    refused(bench, path, tmp_path, "which is no plain file")


def test_a_member_that_unpacks_to_more_is_refused(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path
) -> None:
    path = forge({**contents, "suites/big.yaml": bytes(50 * 2**20)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert path.stat().st_size < 2**20
    refused(bench, path, tmp_path, "compressed or encrypted")


def test_members_that_share_their_bytes_are_refused(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path
) -> None:
    """Many entries of the directory that name one large member."""
    large = {f"records/{k:03d}": b"x" * 10_000 for k in range(20)}
    path = forge({**contents, **large})
    with zipfile.ZipFile(path) as archive:
        first = archive.getinfo("records/000")
        cut = archive.getinfo("records/001").header_offset
        others = [archive.getinfo(name) for name in sorted(large)[1:]]
        directory = archive.start_dir
    content = bytearray(path.read_bytes())
    end = others[-1].header_offset + 30 + len("records/019") + 10_000
    gone = end - cut
    for info in others:
        at = content.index(info.filename.encode(), directory)
        content[at - 4 : at] = struct.pack("<L", first.header_offset)
    tail = content.rindex(b"PK\x05\x06")
    content[tail + 16 : tail + 20] = struct.pack("<L", directory - gone)
    path.write_bytes(bytes(content[:cut] + content[end:]))
    refused(bench, path, tmp_path, "larger than the file itself")


def test_two_members_of_one_name_are_refused(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path
) -> None:
    path = forge(contents)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(next(iter(contents)), b"x")
    refused(bench, path, tmp_path, "two members of one name")


@pytest.mark.parametrize(
    ("manifest", "what"),
    [
        ({"files": {}}, "holds other files than its manifest.json names"),
        ({"files": []}, "has a manifest.json that cannot be read"),
        ({"files": {"x": 3}}, "has a manifest.json that cannot be read"),
        ({"omnibench": None}, "has a manifest.json that cannot be read"),
        ({"format": "1"}, "has a manifest.json that cannot be read"),
        ({"format": 2}, "has format 2, and this omnibench knows 1"),
    ],
)
def test_a_manifest_that_lies_is_refused(
    bench: Bench,
    contents: dict[str, bytes],
    forge: Forge,
    tmp_path: Path,
    manifest: dict[str, Any],
    what: str,
) -> None:
    refused(bench, forge(contents, **manifest), tmp_path, what)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"x" * 1000])
def test_what_is_no_archive_is_refused(bench: Bench, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    refused(bench, tmp_path / "x.zip", tmp_path, "is no bundle, or is cut short")
    refused(bench, tmp_path / "absent.zip", tmp_path, "absent.zip cannot be read")


def test_a_record_goes_where_its_cell_s_belongs_or_nowhere(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path
) -> None:
    name = next(name for name in contents if "/rep-" in name and name.endswith(".json"))
    record = json.loads(contents[name])
    forged = as_bytes({**record, "spec": {**record["spec"], "dataset": "../../../out"}})
    status, _, err = bench("merge", forge({**contents, name: forged}))
    assert (status, "is not where a record of its cell belongs" in err) == (1, True)
    assert not list(tmp_path.rglob("out"))


def test_nothing_is_written_through_a_link(
    bench: Bench, contents: dict[str, bytes], forge: Forge, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "records").symlink_to(tmp_path / "outside")
    status, _, err = bench("merge", forge(contents))
    assert (status, "is a link that leads out of" in err) == (2, True)
    assert not list((tmp_path / "outside").iterdir())


def test_a_link_out_of_a_folder_is_not_read(
    bench: Bench, contents: dict[str, bytes], tmp_path: Path
) -> None:
    record = next((tmp_path / "made" / "records").rglob("rep-*.json"))
    secret = tmp_path / "secret"
    secret.write_bytes(record.read_bytes())
    record.unlink()
    record.symlink_to(secret)
    status, _, err = bench("merge", tmp_path / "made")
    assert (status, "cannot be read" in err) == (1, True)
    assert not list((tmp_path / "results").rglob("*.json"))
