"""Where a language model comes from: drawn, a folder, the hub's files; and what is refused."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import BartModel

from omnibench import hub_access
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.coverage import tensors_digest
from omnibench.errors import MissingWeightsError, WeightsError
from omnibench.tasks.captioning.language import folder_of, load_language_model
from omnibench.tasks.captioning.tokenizer import learn
from tests.captioning.captioning_models import SAID, save_folder, tiny_bart


def drawn(seed: int, name: str = "bart-small") -> Any:
    torch.manual_seed(seed)
    return load_language_model(name, None, SAID * 2)


def states_equal(one: Any, other: Any) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize(
    ("name", "size"), [("bart-tiny", (128, 2, 2)), ("bart-small", (256, 3, 3))]
)
def test_a_model_from_scratch_is_drawn_by_the_seed(name: str, size: tuple[int, int, int]) -> None:
    first, again, other = drawn(0, name), drawn(0, name), drawn(1, name)
    assert states_equal(first.bart, again.bart)
    assert not states_equal(first.bart, other.bart)
    assert first.digest == ""
    assert first.tokenizer.encode(SAID[0], 99) == learn(SAID * 2).encode(SAID[0], 99)
    config = first.bart.config
    assert (config.d_model, config.encoder_layers, config.decoder_layers) == size
    assert config.vocab_size == first.tokenizer.size
    assert config.decoder_start_token_id == first.tokenizer.bos == 0


@pytest.mark.parametrize("half", [False, True])
def test_a_folder_loads_with_its_digest(tmp_path: Path, half: bool) -> None:
    """Weights kept in half precision, as those of BART-large, are trained in fp32 too."""
    saved = save_folder(tmp_path, half=half)
    actual = load_language_model("folder", tmp_path, ())
    assert actual.bart.dtype == torch.float32
    assert states_equal(actual.bart, saved.float())
    assert actual.digest == tensors_digest(saved.float())
    assert actual.tokenizer.encode(SAID[0], 99) == learn(SAID * 2).encode(SAID[0], 99)
    assert actual.bart.config.decoder_start_token_id == actual.tokenizer.bos


def test_a_folder_does_not_depend_on_the_state_of_the_generator(tmp_path: Path) -> None:
    save_folder(tmp_path)
    torch.manual_seed(1)
    first = load_language_model("folder", tmp_path, ())
    torch.manual_seed(2)
    assert load_language_model("folder", tmp_path, ()).digest == first.digest


def test_weights_of_a_model_without_its_language_head_load(tmp_path: Path) -> None:
    """So BART's own repositories have them: no prefix, no bias of the logits."""
    saved = save_folder(tmp_path)
    headless = BartModel(saved.config)
    headless.load_state_dict(saved.model.state_dict())
    (tmp_path / "model.safetensors").unlink()
    headless.save_pretrained(tmp_path)
    assert "shared.weight" in load_file(tmp_path / "model.safetensors")
    assert states_equal(load_language_model("folder", tmp_path, ()).bart, saved)


@pytest.mark.parametrize("tied", ["lm_head.weight", "model.decoder.embed_tokens.weight"])
def test_weights_under_the_name_of_a_shared_one_load(tmp_path: Path, tied: str) -> None:
    saved = save_folder(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    state[tied] = state["model.shared.weight"].clone()
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert states_equal(load_language_model("folder", tmp_path, ()).bart, saved)


FC1, SHARED = "model.decoder.layers.0.fc1.weight", "model.shared.weight"


def without(key: Any) -> Callable[..., Any]:
    def damage(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        del state[key]
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    return damage


def reshaped(folder: Any) -> None:
    state = load_file(folder / "model.safetensors")
    state[FC1] = torch.zeros(3, 3)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def cut_short(folder: Any) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def configured(**fields: Any) -> Callable[..., Any]:
    def damage(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **fields}))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "has no config.json; put config.json, the"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be loaded: .*config.json"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be loaded: .*model.safetensors"),
        (cut_short, "cannot be loaded: .*; put config.json, the weights and the tokenizer"),
        (without(FC1), f"does not fit a BART: 1 tensors missing, 0 of another shape .{FC1}"),
        (without(SHARED), f"1 tensors missing, 0 of another shape .{SHARED}"),
        (reshaped, f"does not fit a BART: 0 tensors missing, 1 of another shape .{FC1}"),
        (configured(vocab_size=400), "does not fit a BART: 0 tensors missing, 2 of another shape"),
        (configured(bos_token_id=None), "config.json does not name one bos_token_id"),
        (configured(eos_token_id=[2, 3]), "does not name one bos_token_id, eos_token_id and"),
        (lambda f: (f / "tokenizer.json").unlink(), "put tokenizer.json, or vocab.json and"),
    ],
)
def test_what_is_no_whole_bart_is_refused_in_one_sentence(
    tmp_path: Path, damage: Callable[..., Any], message: str
) -> None:
    save_folder(tmp_path)
    damage(tmp_path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_language_model("folder", tmp_path, ())
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"folder: {tmp_path}/none has no config.json; put"):
        load_language_model("folder", tmp_path / "none", ())


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    tokenizer = learn(SAID * 2)
    save_folder(tmp_path, tokenizer)
    tiny_bart(tokenizer.size - 1).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=f"has the id {tokenizer.size - 1}, but the model"):
        load_language_model("folder", tmp_path, ())


def unit_of(unit: Unit, name: str, **options: Any) -> tuple[Any, Any]:
    adaptation = tasks.get("captioning").adaptations[name]
    fields = {**unit.__dict__, "task": "captioning", "adaptation": name}
    fields["options"] = adaptation.resolve_options(options, "adaptations")
    fields.pop("cells", None)
    return type(unit)(**fields), adaptation.loads


@pytest.fixture
def no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub_access.unreachable.cache_clear()
    yield
    hub_access.unreachable.cache_clear()


def test_where_a_units_model_lies(unit: Unit, tmp_path: Path, no_hub: Any) -> None:
    context = Context(tmp_path, tmp_path / "data")
    small, none = unit_of(unit, "bart-small")
    assert (none, folder_of(small, none, context)) == (None, None)
    own, none = unit_of(unit, "folder", path=str(tmp_path / "mine"))
    assert (none, folder_of(own, none, context)) == (None, tmp_path / "mine")
    base, card = unit_of(unit, "bart-base")
    folder = context.data / "weights" / "facebook--bart-base"
    folder.mkdir(parents=True)
    saved = save_folder(folder)
    assert folder_of(base, card, context) == folder
    actual = load_language_model("bart-base", folder, ())
    assert actual.digest == tensors_digest(saved)


@pytest.mark.parametrize("absent", ["model.safetensors", "tokenizer.json", "config.json", None])
def test_an_absent_hub_model_names_what_to_put_where(
    unit: Unit, tmp_path: Path, no_hub: Any, absent: str | None
) -> None:
    context = Context(tmp_path, tmp_path / "data")
    base, card = unit_of(unit, "bart-base")
    folder = context.data / "weights" / "facebook--bart-base"
    if absent is not None:
        folder.mkdir(parents=True)
        save_folder(folder)
        (folder / absent).unlink()
    with pytest.raises(MissingWeightsError, match="bart-base: weights absent") as caught:
        folder_of(base, card, context)
    assert (
        "put model.safetensors, tokenizer.json and config.json of the hub repository "
        f"facebook/bart-base into {folder}"
    ) in str(caught.value)
    assert "bench.py weights fetch bart-base" in str(caught.value)
