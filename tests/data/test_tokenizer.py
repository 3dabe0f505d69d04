"""The tokenizer numbers its pieces as a Marian model does, and tells what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytransformer.data.tokenizer import TOKENIZER_FILES, Tokenizer
from pytransformer.data.vocabulary import train_tokenizer
from pytransformer.errors import UserError

LINES = [
    "the small cat sees the red house",
    "die kleine Katze sieht das rote Haus",
    "an old house, a small street",
    "ein altes Haus, eine kleine Straße",
    "고양이가 빨간 집을 봅니다",
] * 4


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(LINES, vocab_size=120, source_language="en", target_language="de")


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_known_text_goes_round(model_type: str) -> None:
    tokenizer = train_tokenizer(LINES, vocab_size=50, model_type=model_type)
    ids = tokenizer.encode(LINES)
    assert tokenizer.decode(ids) == LINES
    used = {index for sentence in ids for index in sentence}
    assert min(used) > tokenizer.unk_id
    assert max(used) < tokenizer.pad_id


def test_the_vocabulary_is_numbered_as_the_model_needs_it(tokenizer: Tokenizer) -> None:
    assert (tokenizer.eos_id, tokenizer.unk_id) == (0, 1)
    assert tokenizer.vocab_size == 121
    assert tokenizer.pad_id == 120
    assert tokenizer.encode(["漢"])[0][-1] == tokenizer.unk_id
    assert tokenizer.encode(["", "  "]) == [[], []]
    # The names of the special ids are plain text where they occur in a sentence.
    assert not {0, 120} & set(tokenizer.encode(["</s> <pad>"])[0])


def test_decoding_leaves_out_the_special_ids(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(["das rote Haus"])[0]
    marked = [tokenizer.pad_id, *ids, tokenizer.eos_id, tokenizer.pad_id]
    assert tokenizer.decode([marked, [], [0]]) == ["das rote Haus", "", ""]
    with pytest.raises(ValueError, match="id 121 is not in the vocabulary of 121 ids"):
        tokenizer.decode([[121]])


def test_training_is_repeatable(tokenizer: Tokenizer, tmp_path: Path) -> None:
    again = train_tokenizer(LINES, vocab_size=120, source_language="en", target_language="de")
    tokenizer.save(tmp_path / "one")
    again.save(tmp_path / "two")
    for name in TOKENIZER_FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_saved_files_load_again(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(TOKENIZER_FILES)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.encode(LINES) == tokenizer.encode(LINES)
    assert (loaded.source_language, loaded.target_language) == ("en", "de")
    assert loaded.vocab_size == tokenizer.vocab_size
    vocabulary = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert (vocabulary["</s>"], vocabulary["<unk>"], vocabulary["<pad>"]) == (0, 1, 120)
    bare = Tokenizer.load(tmp_path / "source.spm")
    assert bare.encode(LINES) == tokenizer.encode(LINES)
    assert bare.vocab_size == tokenizer.vocab_size


def test_two_models_are_joined_by_their_pieces(tmp_path: Path) -> None:
    """As in a Marian model from elsewhere, whose ids are neither model's own numbers."""
    source = train_tokenizer(LINES[:1], vocab_size=25)
    target = train_tokenizer(LINES[1:2], vocab_size=25)
    source.save(tmp_path / "source")
    target.save(tmp_path / "target")
    pieces = dict.fromkeys(["</s>", "<unk>"])
    for tokenizer in (target, source):
        pieces.update(dict.fromkeys(tokenizer.pieces(range(2, tokenizer.pad_id))))
    vocabulary = {piece: index for index, piece in enumerate([*pieces, "<pad>"])}
    joined = Tokenizer(
        (tmp_path / "source" / "source.spm").read_bytes(),
        (tmp_path / "target" / "target.spm").read_bytes(),
        vocabulary,
    )
    (ids,) = joined.encode(LINES[:1])
    assert joined.pieces(ids) == source.pieces(source.encode(LINES[:1])[0])
    assert ids != source.encode(LINES[:1])[0]
    assert joined.decode(joined.encode_target(LINES[1:2])) == LINES[1:2]
    # A piece that the other model lacks is still spelled out.
    assert joined.decode([ids]) == LINES[:1]


def test_case_is_folded_only_when_asked(tokenizer: Tokenizer) -> None:
    folding = train_tokenizer(LINES, vocab_size=80, lowercase=True)
    assert folding.folds_case
    assert not tokenizer.folds_case
    assert folding.decode(folding.encode(["Die KATZE"])) == ["die katze"]


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_too_little_text_names_the_largest_size_that_works(model_type: str) -> None:
    with pytest.raises(UserError, match="too small for a vocabulary of 8000") as error:
        train_tokenizer(LINES, vocab_size=8000, model_type=model_type)
    largest = int(str(error.value).rpartition(" ")[2])
    assert train_tokenizer(LINES, largest, model_type).vocab_size == largest + 1
    with pytest.raises(UserError, match=f"largest possible size is {largest}"):
        train_tokenizer(LINES, largest + 1, model_type)


def test_too_many_characters_name_the_smallest_size() -> None:
    with pytest.raises(UserError, match="cannot hold every character") as error:
        train_tokenizer(LINES, vocab_size=10)
    smallest = int(str(error.value).rpartition(" ")[2])
    assert train_tokenizer(LINES, smallest).vocab_size == smallest + 1


@pytest.mark.parametrize("lines", [[], ["", " "]])
def test_no_text_is_said(lines: list[str]) -> None:
    with pytest.raises(UserError, match="no text to learn"):
        train_tokenizer(lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 2}, "vocab_size = 2"),
        ({"vocab_size": 2**31}, "vocab_size = 2147483648: must be 3 to 1073741824"),
        ({"model_type": "word"}, "model_type = 'word': must be bpe or unigram"),
        ({"character_coverage": 0.0}, "character_coverage = 0.0"),
        ({"character_coverage": float("nan")}, "character_coverage = nan"),
    ],
)
def test_options_out_of_range_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train_tokenizer(LINES, **options)


def _renumber(directory: Path, **ids: int) -> None:
    path = directory / "vocab.json"
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    vocabulary.update({f"<{name}>": index for name, index in ids.items()})
    path.write_text(json.dumps(vocabulary), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "target.spm").unlink(), "cannot read .*target.spm: No such file"),
        (lambda d: (d / "vocab.json").write_text("{"), "vocab.json, line 1: not valid JSON"),
        (lambda d: (d / "source.spm").write_bytes(b"\1\2"), "no usable tokenizer"),
        (lambda d: (d / "target.spm").write_bytes(b""), "a SentencePiece model is empty; copy it"),
        (lambda d: _renumber(d, pad=7), "its ids are not 0 to 120, each once"),
        (lambda d: _renumber(d, unk=120, pad=1), "<unk> has the id 120, expected 1"),
    ],
)
def test_damaged_files_are_named(
    tokenizer: Tokenizer, tmp_path: Path, damage, message: str
) -> None:
    tokenizer.save(tmp_path)
    damage(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        Tokenizer.load(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere does not exist"):
        Tokenizer.load(tmp_path / "nowhere")
