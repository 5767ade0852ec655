"""Captions as tokens: learnt ones, and a folder's against transformers' own."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import GPT2Tokenizer, PreTrainedTokenizerFast, RobertaTokenizer

from omnibench.errors import WeightsError
from omnibench.tasks.captioning.tokenizer import LARGEST_VOCABULARY, PROBE, from_folder, learn
from tests.captioning.captioning_models import SAID, made_up

CAPTIONS = (
    *SAID,
    "3.5-cm mass (arrow), it's solid; T2 signal > 50 %",
    "Zyste im Unterlappen, Größe ≈ 3 µm² \u2013 \u03b1/\u03b2",
    "肺のCT画像 🫁 é e\u0301 \x85 \u2028 \xa0",
    "an unseen word: xenobiotic",
)
IDS = {"bos": 0, "eos": 2, "pad": 1}


@pytest.fixture(scope="module")
def learnt() -> Any:
    return learn(SAID * 2)


def parts_of(learnt: Any) -> tuple[Any, list[Any]]:
    """Vocabulary and merges of a tokenizer, as in vocab.json and merges.txt."""
    model = json.loads(learnt.backend.to_str())["model"]
    pairs = [merge.split() if isinstance(merge, str) else merge for merge in model["merges"]]
    return model["vocab"], [tuple(pair) for pair in pairs]


def put_parts(folder: Path, vocabulary: Any, merges: Any) -> None:
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("caption", CAPTIONS)
def test_captions_come_back_whole(learnt: Any, caption: Any) -> None:
    ids = learnt.encode(caption, 512)
    assert (ids[0], ids[-1]) == (learnt.bos, learnt.eos) == (0, 2)
    assert not {0, 1, 2, 3} & set(ids[1:-1])  # no begin, padding, end or unknown inside
    assert learnt.length(caption) == len(ids)
    assert learnt.decode([0, *ids, 1, 1]) == caption.strip()


def test_learning_is_deterministic_and_merges_words(learnt: Any) -> None:
    assert learn(SAID * 2).backend.to_str() == learnt.backend.to_str()
    assert learnt.length("Axial CT of the chest") == 5 + 2
    assert learnt.size == len(learnt.backend.get_vocab()) < LARGEST_VOCABULARY
    assert learnt.size > 256 + 4  # every byte, whatever was seen, and the special tokens


@pytest.mark.parametrize(("most", "kept"), [(4, 2), (6, 4), (7, 5), (8, 5)])
def test_a_caption_is_cut_with_its_end_kept(learnt: Any, most: int, kept: int) -> None:
    whole = learnt.encode("Axial CT of the chest", 512)
    assert len(whole) == 7
    assert learnt.encode("Axial CT of the chest", most) == [*whole[: kept + 1], learnt.eos]
    assert learnt.length("Axial CT of the chest") == 7


def test_cut_captions_are_counted_by_split_and_named(caplog: pytest.LogCaptureFixture) -> None:
    """Of five captions two have more than eight tokens with begin and end."""
    with caplog.at_level("WARNING", logger="omnibench"):
        cases = made_up(5, most=8).cases
    assert cases.cut == {"train": 2, "val": 2, "test": 2}
    assert max(map(len, cases.ids["train"])) == 8
    assert "d: captions cut to 8 tokens: 2 of train, 2 of val, 2 of test" in caplog.text
    caplog.clear()
    made_up(5)
    assert caplog.text == ""


def test_tokenizer_json_is_read_as_transformers_reads_it(learnt: Any, tmp_path: Path) -> None:
    learnt.backend.save(str(tmp_path / "tokenizer.json"))
    actual = from_folder(tmp_path, **IDS, vocabulary=learnt.size)
    theirs: Any = PreTrainedTokenizerFast(tokenizer_file=str(tmp_path / "tokenizer.json"))
    for caption in CAPTIONS:
        ids = theirs(caption, add_special_tokens=False)["input_ids"]
        assert actual.encode(caption, 512) == [0, *ids, 2]
        assert actual.decode([0, *ids, 2]) == theirs.decode(ids).strip()


def test_vocabulary_and_merges_are_read_as_transformers_reads_them(
    learnt: Any, tmp_path: Path
) -> None:
    vocabulary, merges = parts_of(learnt)
    put_parts(tmp_path, vocabulary, merges)
    actual = from_folder(tmp_path, **IDS, vocabulary=learnt.size)
    theirs = RobertaTokenizer(vocab=vocabulary, merges=merges)  # BART's
    for caption in CAPTIONS:
        assert actual.encode(caption, 512) == theirs(caption)["input_ids"]
        assert actual.encode(caption, 512) == learnt.encode(caption, 512)
        assert actual.decode(actual.encode(caption, 512)) == caption.strip()


def test_tokenizer_json_goes_before_vocabulary_and_merges(learnt: Any, tmp_path: Path) -> None:
    learnt.backend.save(str(tmp_path / "tokenizer.json"))
    put_parts(tmp_path, {"a": 0}, [])
    actual = from_folder(tmp_path, **IDS, vocabulary=learnt.size)
    assert actual.backend.to_str() == learnt.backend.to_str()


def test_a_file_saved_after_use_neither_cuts_nor_pads(learnt: Any, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    learnt.backend.save(str(path))
    used = PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="<pad>")
    used("a", max_length=4, truncation=True, padding="max_length")
    used.save_pretrained(tmp_path)
    assert json.loads(path.read_text())["truncation"]["max_length"] == 4
    actual = from_folder(tmp_path, **IDS, vocabulary=learnt.size)
    for caption in CAPTIONS:
        assert actual.encode(caption, 512) == learnt.encode(caption, 512)


def test_a_tokenizer_that_returns_nothing_is_refused_by_name(learnt: Any, tmp_path: Path) -> None:
    """Without merges of bytes or a vocabulary the package itself makes of every text nothing."""
    vocabulary, _ = parts_of(learnt)
    special = {name: vocabulary[name] for name in ("<s>", "<pad>", "</s>", "<unk>")}
    for broken in ({}, special):
        put_parts(tmp_path, broken, [])
        with pytest.raises(WeightsError, match=f"turns '{PROBE}' into nothing") as caught:
            from_folder(tmp_path, **IDS, vocabulary=learnt.size)
        assert str(tmp_path) in str(caught.value)


def test_ids_beyond_the_models_vocabulary_are_refused(learnt: Any, tmp_path: Path) -> None:
    learnt.backend.save(str(tmp_path / "tokenizer.json"))
    largest = learnt.size - 1
    with pytest.raises(WeightsError, match=f"has the id {largest}, but the model embeds {largest}"):
        from_folder(tmp_path, **IDS, vocabulary=largest)
    assert from_folder(tmp_path, **IDS, vocabulary=largest + 1).size == largest + 1


@pytest.mark.parametrize("content", [None, "{", "[]"])
@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json"])
def test_absent_and_damaged_files_are_refused(
    tmp_path: Path, name: str, content: str | None
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(WeightsError, match="cannot be read") as caught:
        from_folder(tmp_path, **IDS, vocabulary=300)
    assert f"the tokenizer in {tmp_path}" in str(caught.value)
    assert "put tokenizer.json, or vocab.json and merges.txt, there" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.real_data
def test_gpt2s_own_files(real_data: Path, tmp_path: Path) -> None:
    """Its end stands for begin and padding too."""
    shutil.copy(real_data / "bpe" / "encoder.json", tmp_path / "vocab.json")
    shutil.copy(real_data / "bpe" / "vocab.bpe", tmp_path / "merges.txt")
    actual = from_folder(tmp_path, bos=50256, eos=50256, pad=50256, vocabulary=50257)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").split("\n")[1:]
    merges: Any = [tuple(line.split(" ")) for line in lines if line]
    assert (len(vocabulary), len(merges)) == (50257, 50000)
    theirs = GPT2Tokenizer(vocab=vocabulary, merges=merges)
    for caption in CAPTIONS:
        ids = theirs(caption)["input_ids"]
        assert actual.encode(caption, 512) == [50256, *ids, 50256]
        assert actual.decode([50256, *ids, 50256]) == caption.strip()
    assert actual.encode("Axial CT of the chest", 512)[1:-1] == [31554, 498, 16356, 286, 262, 7721]
