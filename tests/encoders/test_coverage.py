import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from omnibench.encoders.checkpoints import read_weights
from omnibench.encoders.coverage import load_checked, tensors_digest
from omnibench.errors import WeightsError


@pytest.fixture
def state() -> dict[str, Tensor]:
    return {"a.weight": torch.ones(2, 3), "a.bias": torch.ones(2)}


@pytest.fixture
def model() -> nn.Module:
    return nn.ModuleDict({"a": nn.Linear(3, 2)})


def test_everything_fits(model: Any, state: dict[str, Tensor]) -> None:
    coverage = load_checked(
        model, {**state, "head.weight": torch.ones(1)}, "file", ignored=("head",)
    )
    assert (coverage.loaded, coverage.total) == (2, 2)
    assert coverage.ignored == ("head.weight",)
    assert torch.equal(model["a"].weight, torch.ones(2, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a.bias": None}, r"file does not fit ModuleDict: 1 missing \(a\.bias\)"),
        ({"b": torch.ones(1)}, r"1 unexpected \(b\)"),
        ({"a.bias": torch.ones(5)}, r"1 of another shape \(a\.bias \(5,\) where \(2,\) is due"),
    ],
)
def test_what_does_not_fit_is_refused_by_key(
    model: nn.Module, state: dict[str, Tensor], change: dict[str, Any], message: str
) -> None:
    state = {k: v for k, v in {**state, **change}.items() if v is not None}
    with pytest.raises(WeightsError, match=message):
        load_checked(model, state, "file")


def test_the_card_may_allow_a_gap(model: nn.Module, state: dict[str, Tensor]) -> None:
    del state["a.bias"]
    coverage = load_checked(model, state, "file", optional=("*.bias",))
    assert coverage.missing == ("a.bias",)


def test_safetensors_and_plain_torch_files_are_read(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    save_file(state, tmp_path / "w.safetensors")
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        assert torch.equal(read_weights(tmp_path / name)["a.weight"], state["a.weight"])


class Attack:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (print, ("code ran",))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_that_runs_code_is_refused_unrun(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"a": Attack()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="is refused: it holds more than tensors"):
        read_weights(tmp_path / "w.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Attack()))
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "plain.pth")
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_damaged_file_is_named(tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    save_file(state, tmp_path / name) if "safe" in name else torch.save(state, tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    with pytest.raises(WeightsError, match=r"w\.(safetensors|pth) "):
        read_weights(tmp_path / name)


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no state dict"):
        read_weights(tmp_path / "w.pth")


def test_the_digest_follows_every_tensor(model: Any) -> None:
    before = tensors_digest(model)
    assert tensors_digest(model) == before
    with torch.no_grad():
        model["a"].bias[1] += 1e-6
    assert tensors_digest(model) != before
