"""Fixtures for all tests."""

import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from omnibench import catalogue
from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit
from omnibench.cli import main
from omnibench.files import write_atomically
from omnibench.registry import _registries, all_or_none
from tests.stub_hub import StubHub, served

Bench = Callable[..., tuple[int, str, str]]
WhenLogged = Callable[[str, Callable[[], object]], None]

# No example fails for having taken long.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")

# Tests send it to themselves, and what is started under nohup inherits that it is ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Before torch is imported: threads that spin while they wait for each other take ten times as long
# on a machine that does something else, too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Of several processes that share the tests each has a core of its own, and so has what it starts:
# threads of more would wait for one another.
if (worker := os.environ.get("PYTEST_XDIST_WORKER")) and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images beside the project; without it the test is skipped."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OMNIBENCH_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set OMNIBENCH_REAL_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Render a drawing once for all tests and processes: its digest tells its bytes."""
    from omnibench.report.figures import drawing

    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if worker else folder) / "drawings"
    folder.mkdir(exist_ok=True)
    render = drawing._render

    @wraps(render)
    def rendered(item: drawing.Drawing, digest: str) -> list[bytes]:
        paths = [folder / f"{digest}.{kind}" for kind in drawing.KINDS]
        if not paths[-1].is_file():
            for path, content in zip(paths, render(item, digest), strict=True):
                write_atomically(path, content)
        return [path.read_bytes() for path in paths]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "_render", rendered)
        yield


@contextlib.contextmanager
def registries_as_before() -> Iterator[None]:
    """Load what ships, and forget what is registered meanwhile."""
    with all_or_none():
        entries = {registry: dict(registry._entries) for registry in tuple(_registries)}
    yield
    for registry, before in entries.items():
        registry._entries = before
        registry.version += 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect tests; what the modules that they import register is known to none of them."""
    with registries_as_before():
        return (yield)


@pytest.fixture(autouse=True)
def taken_back() -> Iterator[None]:
    """Forget what a test registers, and the modules that it plugs in."""
    modules, folders, plugged = set(sys.modules), list(sys.path), dict(catalogue._plugged)
    with registries_as_before():
        yield
    plugged_from = {path.parent for path in catalogue._plugged}
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "none").parent in plugged_from:
            del sys.modules[name]
    sys.path[:] = folders
    catalogue._plugged.clear()
    catalogue._plugged.update(plugged)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubHub]:
    """A hub on loopback that the hub's client asks in place of the real one; no cache, no login.

    The client has read the environment at its import; processes of an engine are yet to.
    """
    from huggingface_hub import constants

    from omnibench import hub_access

    with served() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        hub_access.unreachable.cache_clear()
        yield hub
        hub_access.unreachable.cache_clear()


@pytest.fixture
def unit() -> Unit:
    """A unit of three cells that nothing is loaded for."""
    return Unit(
        task="classification",
        dataset=DatasetCard(id="d", reader="a:b", tasks=("classification",)),
        backbone=BackboneCard(id="a", source="random:x"),
        adaptation="linear",
        short="linear",
        options={},
        recipe={"epochs": 3},
        suite_seed=0,
        sources={"dataset": "x", "backbone": "y"},
        repetitions=(0, 1, 2),
    )


class Acting(logging.Handler):
    """Acts on a message that begins so; what the act raises goes to who logs."""

    def __init__(self, start: str, action: Callable[[], object]) -> None:
        super().__init__()
        self._start, self._action = start, action

    def emit(self, record: logging.LogRecord) -> None:
        """Act, or not."""
        if record.getMessage().startswith(self._start):
            self._action()


@pytest.fixture
def when_logged(caplog: pytest.LogCaptureFixture) -> Iterator[WhenLogged]:
    """Act when omnibench logs a message that begins so, once caplog has it."""
    caplog.set_level("INFO", "omnibench")
    root, acting = logging.getLogger(), list[Acting]()

    def when_logged(start: str, action: Callable[[], object]) -> None:
        acting.append(Acting(start, action))
        root.addHandler(acting[-1])

    yield when_logged
    for handler in acting:
        root.removeHandler(handler)


def compute_here(patch: pytest.MonkeyPatch) -> None:
    """Let `run` compute in the tests' process, for tests of what comes out and not of engines."""
    from omnibench.engines import engines, serial

    engines.get("local")
    patch.setitem(engines._entries, "local", serial.run)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in the tests' process."""
    compute_here(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures of reports empty, for tests of what else a report holds."""
    from omnibench.report import latent_picture
    from omnibench.report.figures import drawing

    dot = io.BytesIO()
    Image.new("1", (1, 1)).save(dot, "PNG")
    monkeypatch.setattr(drawing, "_render", lambda *_: [b"", b"<svg/>", dot.getvalue()])
    monkeypatch.setattr(latent_picture, "_render", lambda *_: [b"", dot.getvalue()])
    monkeypatch.setattr(latent_picture, "_umap", lambda features: features[:, :2])


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bench:
    """Give a command; returns exit status, standard output, standard error."""
    monkeypatch.setenv("OMNIBENCH_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path / "data"))

    def bench(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["omnibench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return bench
