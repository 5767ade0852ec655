"""Generation: against transformers' own, one image at a time; texts do not depend on company."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from omnibench.tasks.captioning import trial as trial_module
from omnibench.tasks.captioning.decoding import generate
from omnibench.tasks.captioning.language import load_language_model
from omnibench.tasks.captioning.refusals import parse
from omnibench.tasks.captioning.trial import BATCH, CaptioningTrial
from tests.captioning.captioning_models import SAID, made_up, save_folder

DECODINGS = ("b1-t8", "b1-t24", "b4-t8", "b4-t24", "b5-t8", "b5-t24")


def one_by_one(bart: Any, visual: Any, decoding: Any, tokenizer: Any) -> list[Any]:
    """Token ids of `transformers`' generate from one image's merged tokens at a time."""
    beams, most = decoding[1:].split("-t")
    actual = []
    for image in visual:
        ids = bart.generate(
            inputs_embeds=image[None],
            attention_mask=torch.ones(1, len(image), dtype=torch.long),
            num_beams=int(beams),
            max_new_tokens=int(most),
            do_sample=False,
            length_penalty=1.0,
            early_stopping=beams != "1",
            no_repeat_ngram_size=3,
            decoder_start_token_id=tokenizer.bos,
            forced_bos_token_id=tokenizer.bos,
            forced_eos_token_id=tokenizer.eos,
            bos_token_id=tokenizer.bos,
            eos_token_id=tokenizer.eos,
            pad_token_id=tokenizer.pad,
        )
        actual.append(ids[0].tolist())
    return actual


def unpadded(rows: Any, pad: Any) -> list[Any]:
    return [row[: len(row) - next(i for i, t in enumerate(row[::-1]) if t != pad)] for row in rows]


@pytest.fixture(scope="module")
def spread() -> CaptioningTrial:
    """Six images, and a model whose logits are far apart and whose captions end early or late."""
    made = made_up(6, init_std=1.2)
    made.model.bart.generation_config = GenerationConfig()  # all is said by the decoding
    made.model.bart.final_logits_bias[0, made.cases.tokenizer.eos] += 6
    return made


@pytest.fixture(scope="module")
def visual(spread: Any) -> Any:
    tokens = torch.from_numpy(spread.tokens.rows["test"].rows)
    with torch.no_grad():
        return spread.model.merger(spread.model.norm(spread.model.project(tokens)))


@pytest.mark.parametrize("decoding", DECODINGS)
def test_generation_is_transformers_own_one_image_at_a_time(
    spread: CaptioningTrial, visual: Any, decoding: str
) -> None:
    bart, tokenizer = spread.model.bart, spread.cases.tokenizer
    encoded = bart.get_encoder()(inputs_embeds=visual).last_hidden_state
    kept = encoded.clone()
    with torch.no_grad():
        actual = generate(bart, encoded, decoding, tokenizer)
    assert unpadded(actual, tokenizer.pad) == one_by_one(bart, visual, decoding, tokenizer)
    assert torch.equal(encoded, kept)  # the next decoding reads the same states


def test_the_captions_compared_are_of_several_kinds(spread: CaptioningTrial, visual: Any) -> None:
    """Otherwise the comparison above would show little."""
    bart, tokenizer = spread.model.bart, spread.cases.tokenizer
    by_decoding = {name: one_by_one(bart, visual, name, tokenizer) for name in DECODINGS}
    for rows in by_decoding.values():
        assert len({tuple(row) for row in rows}) > 3
        assert all(row[:2] == [tokenizer.bos] * 2 and row[-1] == tokenizer.eos for row in rows)
    lengths = {len(row) for name in ("b1-t24", "b5-t24") for row in by_decoding[name]}
    assert len(lengths) > 3
    assert max(lengths) == 25  # the begin that is read, and 24 new ones
    assert by_decoding["b1-t24"] != by_decoding["b4-t24"] != by_decoding["b5-t24"]


@pytest.mark.parametrize(
    ("decoding", "expected"), [("b1-t64", (1, 64)), ("b5-t128", (5, 128)), ("b10-t8", (10, 8))]
)
def test_parse(decoding: str, expected: tuple[int, int]) -> None:
    assert parse(decoding) == expected


def test_a_folders_own_generation_settings_change_nothing(tmp_path: Path) -> None:
    """As those of a BART tuned to summaries: no caption of fewer than 20 tokens."""
    folders: dict[str, dict[str, Any]] = {
        "plain": {},
        "tuned": {"min_length": 20, "max_length": 142, "repetition_penalty": 3.0, "num_beams": 2},
    }
    for name, settings in folders.items():
        (tmp_path / name).mkdir()
        save_folder(tmp_path / name, **settings)
    torch.manual_seed(0)
    encoded = torch.randn(4, 3, 16)
    said = {}
    for name in ("plain", "tuned"):
        actual = load_language_model("folder", tmp_path / name, ())
        bart = actual.bart.eval()
        bart.final_logits_bias[0, actual.tokenizer.eos] += 0.5
        said[name] = [
            generate(bart, encoded, decoding, actual.tokenizer) for decoding in ("b1-t24", "b4-t24")
        ]
    assert said["plain"] == said["tuned"]
    assert min(map(len, said["plain"][1])) < 20


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_texts_do_not_depend_on_how_many_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    """Eighteen images are a whole batch and a padded one, five a padded one."""
    sizes = []

    def spy(bart: Any, encoded: Any, *rest: Any) -> Any:
        sizes.append(len(encoded))
        assert encoded.dtype == bart.dtype
        return generate(bart, encoded, *rest)

    monkeypatch.setattr(trial_module, "generate", spy)
    shown = []
    many = made_up(18, precision, init_std=0.5)
    few = made_up(5, precision, init_std=0.5)
    few.model.train()  # dropout is no part of generation
    decodings = ("b1-t8", "b4-t12")
    all_texts = many.texts(decodings, lambda done, total: shown.append((done, total)))
    some_texts = few.texts(decodings, lambda done, total: None)
    assert shown == [(BATCH, 18), (18, 18)]
    assert set(sizes) == {BATCH}
    for name in decodings:
        assert len(all_texts[name]) == 18
        assert some_texts[name] == all_texts[name][:5]
        assert len(set(all_texts[name])) > 9
    assert all_texts["b1-t8"] != all_texts["b4-t12"]
    assert many.model.bart.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def test_texts_are_the_generated_ids_in_words() -> None:
    made: Any = made_up(3, init_std=0.5)
    tokens = torch.from_numpy(made.tokens.rows["test"].rows)
    visual = made.model.merger(made.model.norm(made.model.project(tokens)))
    ids = one_by_one(made.model.bart, visual.detach(), "b4-t12", made.cases.tokenizer)
    special = (made.cases.tokenizer.bos, made.cases.tokenizer.eos)
    words = [[item for item in row if item not in special] for row in ids]
    expected = [made.cases.tokenizer.backend.decode(row).strip() for row in words]
    assert made.texts(("b4-t12",), lambda *_: None) == {"b4-t12": expected}


def test_stored_predictions_hold_the_cut_reference() -> None:
    made = made_up(5, most=8)
    stored = made.cases.predictions({"b1-t8": ["a", "b", "c", "d", "e"]})
    assert list(stored) == ["test_case", "test_reference", "test_reference_cut", "test_text@b1-t8"]
    assert stored["test_reference"].tolist() == list(SAID)
    assert stored["test_reference_cut"].tolist() == [
        "Axial CT of the chest with",
        SAID[1],
        "Axial MR of the head with",
        *SAID[3:],
    ]
