"""A builder's digest: what changes it, what does not, and what is refused."""

import hashlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.builders import builder_digest, code_digest, require_unchanged, sources
from omnibench.errors import RequestError
from omnibench.imports import imports_of

PLAIN = {
    "net_of_tests.py": "import os\nfrom net_helper import Net\nSmall = Big = Net\n",
    "net_helper.py": "WIDTH = 16\nclass Net: ...\n",
    "unrelated.py": "x = 1\n",
}
PACKAGE = {
    "netpack/__init__.py": "",
    "netpack/build.py": "from . import blocks\nfrom .deep.layers import Layer\n",
    "netpack/blocks.py": "from .deep import norm as n\n",
    "netpack/deep/__init__.py": "import netpack.constants\n",
    "netpack/deep/layers.py": "from .. import late\nfrom ..bare.inside import x\nLayer = x\n",
    "netpack/deep/norm.py": "",
    "netpack/late.py": (
        "import importlib\ndef f():\n    importlib.import_module('.lazy', __package__)\n"
    ),
    "netpack/lazy.py": "def f():\n    return __import__('netpack.oldest')\n",
    "netpack/oldest.py": "from .star import *\n",
    "netpack/star/__init__.py": "__all__ = ['one']\n",
    "netpack/star/one.py": "",
    "netpack/constants.py": "",
    "netpack/bare/inside.py": "x = 1\n",
    "netpack/unrelated.py": "",
    "netpack/bare/unrelated.py": "",
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Write files into a folder from which Python imports; returns the folder."""

    def write(files: dict[str, str], place: str = "here") -> Path:
        folder = tmp_path / place
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
        importlib.invalidate_caches()
        return folder

    return write


def test_two_builders_of_one_file_differ(write: Any) -> None:
    write(PLAIN)
    assert builder_digest("net_of_tests:Small") != builder_digest("net_of_tests:Big")
    assert len(builder_digest("net_of_tests:Big")) == 64
    assert "net_of_tests" not in sys.modules  # told without importing it


@pytest.mark.parametrize(("name", "same"), [("net_helper", False), ("unrelated", True)])
def test_a_changed_file_beside_counts_where_it_is_imported(
    write: Any, name: str, same: bool
) -> None:
    folder = write(PLAIN)
    before = builder_digest("net_of_tests:Big")
    (folder / f"{name}.py").write_text("WIDTH = 32\nclass Net: ...\n")
    assert (builder_digest("net_of_tests:Big") == before) is same


@pytest.mark.parametrize("name", [*PACKAGE, "netpack/added.py"])
def test_every_module_that_a_package_imports_counts_and_no_other(write: Any, name: Any) -> None:
    folder = write(PACKAGE)
    before = builder_digest("netpack.build:Net")
    with (folder / name).open("a") as file:
        file.write("# changed\n")
    unchanged = "unrelated" in name or "added" in name
    assert (builder_digest("netpack.build:Net") == before) is unchanged


def test_the_modules_are_those_that_python_imports(write: Any) -> None:
    """Against Python's own import of the same tree, functions called."""
    folder = write(PACKAGE)
    importlib.import_module("netpack.build")
    importlib.import_module("netpack.late").f()
    importlib.import_module("netpack.lazy").f()
    loaded = {n for n, m in sys.modules.items() if n.startswith("netpack") and m.__file__}
    try:
        assert loaded == set(sources("netpack.build"))
    finally:
        for name in [n for n in sys.modules if n.startswith("netpack")]:
            del sys.modules[name]
    assert all(s.path.is_relative_to(folder) for s in sources("netpack.build").values())


@pytest.mark.parametrize(
    ("files", "reference"), [(PLAIN, "net_of_tests:Big"), (PACKAGE, "netpack.build:Net")]
)
def test_identical_trees_in_two_folders_have_one_digest(
    write: Any, files: dict[str, str], reference: str
) -> None:
    write(files, "here")
    here = builder_digest(reference)
    write({**files, "more.py": ""}, "there")
    assert builder_digest(reference) == here


def test_a_package_beside_a_plain_file_counts(write: Any) -> None:
    folder = write({"user_of_nets.py": "from nets_beside.small import Net\n"})
    write({"nets_beside/small.py": "import nets_beside.part\n", "nets_beside/part.py": ""})
    assert set(sources("user_of_nets")) == {
        "user_of_nets",
        "nets_beside.small",
        "nets_beside.part",
    }
    (folder / "nets_beside" / "__init__.py").write_text("")
    assert "nets_beside" in sources("user_of_nets")


def test_a_folder_named_like_an_installed_package_is_none(write: Any) -> None:
    write({"user_of_numpy.py": "import numpy.linalg\nimport omnibench.cards\n"})
    write({"numpy/linalg.py": "", "omnibench/cards.py": "", "omnibench/__init__.py": ""})
    assert set(sources("user_of_numpy")) == {"user_of_numpy"}


def test_circles_links_and_what_is_absent_are_as_in_python(write: Any, tmp_path: Path) -> None:
    folder = write({"circle_a.py": "import circle_b, linked, dangling\nfrom . import nothing\n"})
    write({"circle_b.py": "try:\n    import circle_a, absent_helper\nexcept ImportError: ...\n"})
    (tmp_path / "elsewhere.py").write_text("x = 1\n")
    (folder / "linked.py").symlink_to(tmp_path / "elsewhere.py")
    (folder / "dangling.py").symlink_to(folder / "dangling.py")
    assert set(sources("circle_a")) == {"circle_a", "circle_b", "linked"}
    before = builder_digest("circle_a:Net")
    (tmp_path / "elsewhere.py").write_text("x = 2\n")
    assert builder_digest("circle_a:Net") != before


def test_names_that_are_no_modules_reach_no_other_file(write: Any, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("")
    write({"far.py": "__import__('../outside'); __import__('')\n__import__(name)\n"})
    assert set(sources("far")) == {"far"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"x = 1\ndef f(:\n", r"broken_builder\.py', line 2 is not Python"),
        (b"x = '\0'\n", r"broken_builder\.py'.* is not Python: source code .* null bytes"),
        (b"x = '\xff'\n", r"broken_builder\.py'.* is not Python"),
        (b"(" * 10_000, r"broken_builder\.py'.* is not Python"),
    ],
)
def test_a_builder_that_is_not_python_is_refused_by_its_file(
    write: Any, text: bytes, message: str
) -> None:
    folder = write({"broken_builder.py": ""})
    (folder / "broken_builder.py").write_bytes(text)
    with pytest.raises(RequestError, match=message):
        builder_digest("broken_builder:Net")


def test_a_helper_that_is_not_python_counts_by_its_bytes(write: Any) -> None:
    folder = write({"net_with_bad.py": "try:\n    import bad_helper\nexcept SyntaxError: ...\n"})
    (folder / "bad_helper.py").write_text("def f(:\n")
    before = builder_digest("net_with_bad:Net")
    (folder / "bad_helper.py").write_text("def g(:\n")
    assert builder_digest("net_with_bad:Net") != before


def test_a_file_that_cannot_be_read_is_named(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(PLAIN)

    def refuse(path: Path, *_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RequestError, match=r"net_of_tests\.py' cannot be read: Permission denied"):
        builder_digest("net_of_tests:Big")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("absent_module:Net", "no module named 'absent_module'"),
        ("netpack.absent:Net", "no module named 'netpack.absent'"),
        ("sys:exit", "no module named 'sys' with a source file"),
        ("netpack", "not of the form module:attribute"),
        (":Net", "not of the form module:attribute"),
    ],
)
def test_what_names_no_source_is_refused(write: Any, reference: str, message: str) -> None:
    write(PACKAGE)
    with pytest.raises(RequestError, match=message):
        builder_digest(reference)


def test_an_installed_file_stands_alone() -> None:
    """`os` and what it imports lie among other projects' files, none of which is its own."""
    assert set(sources("os")) == {"os"}


INSTALLED = {
    "net_of_wheel.py": "import netpack.build, net_of_others\nfrom net_layers import Net\n",
    "net_layers.py": "class Net: ...\n",
    "net_of_others.py": "",
    "netpack/__init__.py": "",
    "netpack/build.py": "import net_layers\n",
    "wheel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: wheel-of-tests\nVersion: 1.0\n",
    "wheel-1.0.dist-info/RECORD": "net_of_wheel.py,,\nnet_layers.py,,\nnetpack/__init__.py,,\n"
    "netpack/build.py,,\n../../../bin/net.py,,\n",
}


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        ("net_of_wheel", {"net_of_wheel", "net_layers", "netpack", "netpack.build"}),
        ("netpack.build", {"net_layers", "netpack", "netpack.build"}),
        ("net_of_others", {"net_of_others"}),
    ],
)
def test_what_was_installed_together_counts_as_in_a_folder_of_its_own(
    write: Any, module: str, parts: set[str]
) -> None:
    folder = write(INSTALLED, "site-packages")
    assert sources(module).keys() == parts
    before = {name: builder_digest(f"{name}:Net") for name in ("net_of_wheel", "net_of_others")}
    (folder / "net_layers.py").write_text("class Net:\n    width = 8\n")
    after = {name: builder_digest(f"{name}:Net") for name in before}
    assert after["net_of_wheel"] != before["net_of_wheel"]
    assert after["net_of_others"] == before["net_of_others"]


def test_of_omnibenchs_own_builders_the_reference_counts() -> None:
    reference = "omnibench.backbones.cnn:efficientnet_lite0"
    assert builder_digest(reference) == hashlib.sha256(reference.encode()).hexdigest()


def test_a_builder_that_changed_after_planning_is_refused(write: Any) -> None:
    folder = write(PLAIN)
    digest = builder_digest("net_of_tests:Big")
    require_unchanged("net_of_tests:Big", digest)
    (folder / "net_helper.py").write_text("WIDTH = 17\n")
    with pytest.raises(RequestError, match="changed while it ran; give the same command again"):
        require_unchanged("net_of_tests:Big", digest)


def test_a_hundred_builders_of_one_folder_parse_each_source_once(write: Any) -> None:
    files = {f"helper_{k}.py": f"import math\nx = {k}\n" for k in range(5)}
    write({**files, "many.py": "import torch, numpy, helper_0, helper_1, helper_2, helper_3\n"})
    imports_of.cache_clear()
    digests = {builder_digest(f"many:Net{k}") for k in range(100)}
    assert len(digests) == 100
    assert imports_of.cache_info().misses == 5  # many.py and the helpers that it imports


def test_code_from_outside_counts_with_its_source_and_that_of_its_helper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    helper = tmp_path / "helper_of_adapting.py"
    helper.write_text("SCALE = 1\n")
    (tmp_path / "adapting.py").write_text(
        "from helper_of_adapting import SCALE\ndef attach(): ...\n"
    )
    first = code_digest("adapting:attach")
    assert first is not None and first == code_digest("adapting:attach")
    helper.write_text("SCALE = 2\n")
    assert code_digest("adapting:attach") != first
    assert code_digest("omnibench.adapt.low_rank:attach") is None  # its version tells it


def test_what_is_written_in_no_module_is_refused_with_the_way_out() -> None:
    class Written:
        pass

    Written.__module__ = "__main__"
    with pytest.raises(RequestError, match=r"put it into a file of its own.* --plugin"):
        code_digest(Written)
