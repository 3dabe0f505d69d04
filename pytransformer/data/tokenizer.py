"""Subwords: SentencePiece behind the vocabulary of a Marian model.

The vocabulary is ``</s>`` = 0, ``<unk>`` = 1, the pieces, and ``<pad>`` last. SentencePiece knows
all of it but ``<pad>``. Source and target share it: a tokenizer trained here has one SentencePiece
model for both; one that came with a Marian model may have two that number their pieces on their
own, which ``vocab.json`` then joins by the pieces' spelling.

Sources: Sennrich et al. 2016 (BPE); Kudo 2018 (unigram); Kudo and Richardson 2018 (SentencePiece).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import sentencepiece

from pytransformer.errors import UserError
from pytransformer.files import atomic_file, read_json, write_json

ModelType = Literal["bpe", "unigram"]
MOST_PIECES = 2**30  # SentencePiece counts in int32, and a little further than asked

SOURCE_MODEL = "source.spm"
TARGET_MODEL = "target.spm"
VOCABULARY = "vocab.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENIZER_FILES = (SOURCE_MODEL, TARGET_MODEL, VOCABULARY, TOKENIZER_CONFIG)

EOS = "</s>"
UNKNOWN = "<unk>"
PAD = "<pad>"

# How SentencePiece spells a space.
_SPACE = "▁"
_REMEDY = "copy it again from where it was whole"

# Unigram training adds up in an order that follows the number of threads; a constant keeps the
# result the same on every machine.
_THREADS = 4


class Tokenizer:
    """Text to ids and back.

    Attributes:
        source_language, target_language: language codes, or "" when not known.
    """

    eos_id = 0
    unk_id = 1

    def __init__(
        self,
        source_model: bytes,
        target_model: bytes,
        vocabulary: dict[str, int],
        source_language: str = "",
        target_language: str = "",
    ) -> None:
        """Join two SentencePiece models by a vocabulary.

        Args:
            source_model: a serialized SentencePiece model for source text.
            target_model: likewise for target text; the same for a joint tokenizer.
            vocabulary: piece to id, ``<pad>`` included.
            source_language: a language code, or "".
            target_language: likewise.

        Raises:
            ValueError: if the vocabulary is not numbered as this module says, or a model is empty.
            RuntimeError: if a model is damaged.
        """
        _check_vocabulary(vocabulary)
        self.source_language = source_language
        self.target_language = target_language
        self._models = (source_model, target_model)
        self._vocabulary = vocabulary
        self._pieces = sorted(vocabulary, key=vocabulary.__getitem__)
        self._source = _processor(source_model)
        self._target = _processor(target_model)
        self._source_ids = self._ids_of(self._source)
        self._target_ids = self._ids_of(self._target)

    @classmethod
    def from_model(
        cls, model: bytes, source_language: str = "", target_language: str = ""
    ) -> Tokenizer:
        """A joint tokenizer from one SentencePiece model; ``<pad>`` is added after its pieces."""
        processor = _processor(model)
        pieces = [processor.id_to_piece(index) for index in range(processor.get_piece_size())]
        vocabulary = {piece: index for index, piece in enumerate([*pieces, PAD])}
        if len(vocabulary) != len(pieces) + 1:
            raise ValueError(f"the SentencePiece model has a piece {PAD!r} or one piece twice")
        return cls(model, model, vocabulary, source_language, target_language)

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Read the four files that ``save`` writes, or one SentencePiece model.

        Args:
            path: a directory (a model, prepared data), or a ``.spm`` file.

        Raises:
            UserError: naming the file that is missing or damaged.
        """
        path = Path(path)
        if path.is_file():
            return _building(path, lambda: cls.from_model(_read(path)))
        if not path.is_dir():
            raise UserError(f"{path} does not exist; expected a directory with {SOURCE_MODEL}")
        vocabulary = read_json(path / VOCABULARY, _REMEDY)
        languages = read_json(path / TOKENIZER_CONFIG, _REMEDY)
        models = _read(path / SOURCE_MODEL), _read(path / TARGET_MODEL)
        source_language = str(languages.get("source_lang") or "")
        target_language = str(languages.get("target_lang") or "")
        return _building(path, lambda: cls(*models, vocabulary, source_language, target_language))

    @property
    def vocab_size(self) -> int:
        """The number of ids, ``<pad>`` included."""
        return len(self._pieces)

    @property
    def pad_id(self) -> int:
        """The last id: ``<pad>``, which also starts every target sentence."""
        return len(self._pieces) - 1

    @property
    def folds_case(self) -> bool:
        """Whether target text loses its upper case."""
        return bool(self._target.normalize("A").endswith("a"))

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """Source sentences as ids, without ``</s>``; a blank sentence gives an empty list."""
        return _renumber(self._source.encode(list(lines), out_type=int), self._source_ids)

    def encode_target(self, lines: Sequence[str]) -> list[list[int]]:
        """Target sentences as ids; the same as ``encode`` for a joint tokenizer."""
        return _renumber(self._target.encode(list(lines), out_type=int), self._target_ids)

    def decode(self, sentences: Sequence[Sequence[int]]) -> list[str]:
        """Ids as target sentences; ``</s>`` and ``<pad>`` are left out.

        Raises:
            ValueError: if an id is not in the vocabulary.
        """
        texts = self._target.decode([self.pieces(ids) for ids in sentences])
        # A piece of the source model alone is left as it is spelled, with the mark for a space.
        return [text.replace(_SPACE, " ").strip() for text in texts]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of one sentence, spelled as in the vocabulary, without ``</s>``, ``<pad>``.

        Raises:
            ValueError: if an id is not in the vocabulary.
        """
        for index in ids:
            if not 0 <= index < self.vocab_size:
                raise ValueError(f"id {index} is not in the vocabulary of {self.vocab_size} ids")
        silent = (self.eos_id, self.pad_id)
        return [self._pieces[index] for index in ids if index not in silent]

    def save(self, directory: str | Path) -> None:
        """Write ``source.spm``, ``target.spm``, ``vocab.json`` and ``tokenizer_config.json``.

        The files are those of a Hugging Face ``MarianTokenizer``.
        """
        directory = Path(directory)
        for name, model in zip((SOURCE_MODEL, TARGET_MODEL), self._models, strict=True):
            with atomic_file(directory / name) as temporary:
                temporary.write_bytes(model)
        write_json(directory / VOCABULARY, self._vocabulary)
        config = {
            "tokenizer_class": "MarianTokenizer",
            "source_lang": self.source_language,
            "target_lang": self.target_language,
            "eos_token": EOS,
            "unk_token": UNKNOWN,
            "pad_token": PAD,
            "model_max_length": 512,
            "separate_vocabs": False,
        }
        write_json(directory / TOKENIZER_CONFIG, config)

    def _ids_of(self, processor: sentencepiece.SentencePieceProcessor) -> list[int] | None:
        """Id by SentencePiece's own number; None where the two are the same."""
        count = processor.get_piece_size()
        ids = [
            self._vocabulary.get(processor.id_to_piece(index), self.unk_id)
            for index in range(count)
        ]
        return None if ids == list(range(count)) else ids


def train_tokenizer(
    lines: Iterable[str],
    vocab_size: int = 8000,
    model_type: ModelType = "bpe",
    *,
    character_coverage: float = 1.0,
    lowercase: bool = False,
    source_language: str = "",
    target_language: str = "",
) -> Tokenizer:
    """Learn a joint tokenizer; the same lines and options give the same tokenizer.

    Args:
        lines: sentences of both languages, in a fixed order; all of them are used.
        vocab_size: pieces to learn, ``</s>`` and ``<unk>`` included; ``<pad>`` comes on top, so the
            tokenizer's ``vocab_size`` is one more.
        model_type: ``bpe`` or ``unigram``.
        character_coverage: the share of the text's characters that get a piece of their own.
        lowercase: fold upper and lower case (Unicode case folding: German ß becomes ss). The rule
            is a part of the model, so every text that it reads is folded.
        source_language: a language code to keep with it.
        target_language: likewise.

    Raises:
        UserError: if the lines are too few for the vocabulary (with the largest possible size), or
            have too many characters for it (with the smallest).
        ValueError: if an option is out of range.
    """
    if model_type not in get_args(ModelType):
        choices = " or ".join(get_args(ModelType))
        raise ValueError(f"model_type = {model_type!r}: must be {choices}")
    if not 3 <= vocab_size <= MOST_PIECES:
        raise ValueError(f"vocab_size = {vocab_size}: must be 3 to {MOST_PIECES}")
    if not 0.0 < character_coverage <= 1.0:
        raise ValueError(f"character_coverage = {character_coverage}: must be in (0, 1]")
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            vocab_size=vocab_size,
            model_type=model_type,
            character_coverage=character_coverage,
            normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
            bos_id=-1,
            eos_id=0,
            unk_id=1,
            pad_id=-1,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise UserError(_explain(str(error), vocab_size)) from error
    return Tokenizer.from_model(model.getvalue(), source_language, target_language)


def _explain(message: str, vocab_size: int) -> str:
    if found := re.search(r"too high .* value <= (\d+)", message):
        return (
            f"the text is too small for a vocabulary of {vocab_size} pieces; "
            f"the largest possible size is {found[1]}"
        )
    if found := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return (
            f"a vocabulary of {vocab_size} pieces cannot hold every character of the text; "
            f"the smallest possible size is {found[1]}"
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return "there is no text to learn a vocabulary from; every line is empty or too long"
    return f"SentencePiece cannot learn a vocabulary of {vocab_size} pieces: {message}"


def _processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    if not model:  # it would be taken for no model at all
        raise ValueError("a SentencePiece model is empty")
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def _check_vocabulary(vocabulary: dict[str, int]) -> None:
    if set(vocabulary.values()) != set(range(len(vocabulary))):
        raise ValueError(f"its ids are not 0 to {len(vocabulary) - 1}, each once")
    for piece, expected in ((EOS, 0), (UNKNOWN, 1), (PAD, len(vocabulary) - 1)):
        if vocabulary.get(piece) != expected:
            raise ValueError(f"{piece} has the id {vocabulary.get(piece)}, expected {expected}")


def _renumber(sentences: list[list[int]], ids: list[int] | None) -> list[list[int]]:
    if ids is None:
        return sentences
    return [[ids[index] for index in sentence] for sentence in sentences]


def _building(path: Path, build: Callable[[], Tokenizer]) -> Tokenizer:
    try:
        return build()
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"{path} holds no usable tokenizer: {error}; {_REMEDY}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
