import errno
import hashlib
import random
from pathlib import Path

import pytest

from pytransformer.data.corpus import CAPACITY, Splits, generate, write
from pytransformer.data.corpus.english import english
from pytransformer.data.corpus.german import german
from pytransformer.data.corpus.korean import korean
from pytransformer.data.corpus.sentence_sampler import SentenceSampler
from pytransformer.files import WriteError

SIZES = dict(train=1500, valid=50, test=60)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return generate("de", seed=1, **SIZES)


def test_sizes_are_as_asked_for(splits: Splits) -> None:
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (1500, 50, 60)


def test_no_english_sentence_occurs_twice(splits: Splits) -> None:
    sources = [source for source, _ in splits.train + splits.valid + splits.test]
    assert len(set(sources)) == len(sources)


def test_the_same_seed_gives_the_same_sentences(splits: Splits) -> None:
    random.seed(0)
    assert generate("de", seed=1, **SIZES) == splits
    assert generate("de", seed=2, **SIZES) != splits


@pytest.mark.parametrize(
    ("target", "first", "checksum"),
    [
        (
            "de",
            "Er wird heute ihrer Tochter eine kleine Tasse geben.",
            "84cea261a1bfa42460389cbf999f70fdc7206b855f0d61798473de0ad436e117",
        ),
        (
            "ko",
            "그는 오늘 그녀의 딸에게 작은 컵을 줄 거예요.",
            "2e7666dee87eddfcaf87dbe70900add1168c6497c8f8a8146f72df716e675eec",
        ),
    ],
)
def test_every_machine_gives_the_same_sentences(target: str, first: str, checksum: str) -> None:
    """A change of grammar or lexicon changes the sums; nothing else may."""
    splits = generate(target, seed=1, **SIZES)  # type: ignore[arg-type]
    assert splits.train[0] == ("He will give a small cup to her daughter today.", first)
    text = "".join(f"{a}\t{b}\n" for a, b in splits.train + splits.valid + splits.test)
    assert hashlib.sha256(text.encode()).hexdigest() == checksum


def test_both_targets_translate_the_same_sentences(splits: Splits) -> None:
    other = generate("ko", seed=1, **SIZES)
    assert [source for source, _ in other.test] == [source for source, _ in splits.test]


def test_sentences_are_well_formed(splits: Splits) -> None:
    for pair in splits.train:
        for text in pair:
            assert text[-1] in ".?"
            assert text == text.strip()
            assert "  " not in text
            assert " ," not in text
            assert ",," not in text
        assert 4 <= len(pair[0].split()) <= 14
        assert pair[0][-1] == pair[1][-1]


def test_the_translation_follows_from_the_english_alone() -> None:
    sampler = SentenceSampler(7)
    translations: dict[str, tuple[str, str]] = {}
    repeated = 0
    for _ in range(20_000):
        sentence = sampler.sentence()
        pair = german(sentence), korean(sentence)
        repeated += english(sentence) in translations
        assert translations.setdefault(english(sentence), pair) == pair
    assert repeated > 100


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_a_negative_size_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} = -1: must be at least 0"):
        generate("de", **{**SIZES, name: -1})


def test_more_than_the_grammar_has_is_refused() -> None:
    with pytest.raises(ValueError, match=f"{CAPACITY + 1000}: the grammar has {CAPACITY} distinct"):
        generate("de", train=CAPACITY)


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(ValueError, match="target = 'fr': must be one of de, ko"):
        generate("fr", **SIZES)  # type: ignore[arg-type]


def test_writing_gives_one_sentence_a_line(tmp_path: Path, splits: Splits) -> None:
    directory = tmp_path / "new" / "corpus"
    write(directory, "de", seed=1, **SIZES)
    for name, pairs in (("train", splits.train), ("valid", splits.valid), ("test", splits.test)):
        for side, language in enumerate(("en", "de")):
            data = (directory / f"{name}.{language}").read_bytes()
            assert data.decode("utf-8").split("\n") == [pair[side] for pair in pairs] + [""]
    assert len(list(directory.iterdir())) == 6


def test_writing_again_replaces_the_files(tmp_path: Path) -> None:
    write(tmp_path, "ko", train=20, valid=3, test=3)
    before = (tmp_path / "train.ko").read_text(encoding="utf-8")
    write(tmp_path, "ko", seed=2, train=20, valid=3, test=3)
    assert (tmp_path / "train.ko").read_text(encoding="utf-8") != before


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "de", train=20, valid=3, test=3)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WriteError, match="no space left"):
        write(tmp_path, "de", seed=2, train=20, valid=3, test=3)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
